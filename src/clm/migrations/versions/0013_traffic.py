"""what answers come to per minute, hour and day, by latency"""

from collections import defaultdict
from itertools import groupby

import sqlalchemy as sa
from alembic import op

import clm.core.database as db
from clm.monitoring import traffic
from clm.monitoring.traffic import Counted

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    table = op.create_table(
        "traffic",
        sa.Column("release_id", sa.String(), primary_key=True),
        sa.Column("span", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("slot", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("bucket", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("pinned", sa.Boolean(), primary_key=True),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("feedback", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    answers = sa.table("answers", *map(sa.column, ("id", "release_id", "status", "error", "latency_ms", "pinned")),
                       sa.column("at", db.UtcDateTime()))  # fmt: skip
    feedback = sa.table("feedback", sa.column("answer_id"), sa.column("score"))
    of = answers.c
    read = sa.select(of.release_id, of.at, of.latency_ms, of.pinned, of.status, of.error, feedback.c.score)
    read = read.select_from(answers.outerjoin(feedback, feedback.c.answer_id == of.id)).order_by(of.release_id, of.at)
    found = op.get_bind().execute(read.execution_options(yield_per=10_000))
    for (release_id, _), day in groupby(found, key=lambda row: (row.release_id, row.at.date())):
        sums: defaultdict[tuple[int, int, int, bool], Counted] = defaultdict(Counted)
        for row in day:
            change = traffic.count(row.status, row.error, row.score)
            for span, slot in traffic.slots_of(row.at):
                key = (span, slot, traffic.bucket_of(row.latency_ms), bool(row.pinned))
                sums[key] = sums[key].plus(change)
        names = ("span", "slot", "bucket", "pinned")
        rows = [{"release_id": release_id, **dict(zip(names, key, strict=True)), **change._asdict()}
                for key, change in sums.items() if any(change)]  # fmt: skip
        if rows:
            op.bulk_insert(table, rows)


def downgrade() -> None:
    op.drop_table("traffic")
