"""what learnt from a record; the worker reads it from the bundles there are, see clm.duties.lessons"""

import sqlalchemy as sa
from alembic import op

from clm.registry.bundle import lessons_of

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "lessons",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("hash", sa.String(), nullable=False, unique=True),
    )
    op.create_table(
        "lesson_records",
        sa.Column("record_id", sa.String(), primary_key=True),
        sa.Column("lesson_id", sa.Integer(), sa.ForeignKey("lessons.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    experts = op.create_table(
        "release_experts",
        sa.Column("release_id", sa.String(), sa.ForeignKey("releases.id"), primary_key=True),
        sa.Column("expert", sa.String(), primary_key=True),
        sa.Column("lesson_hash", sa.String(), nullable=False),
    )
    op.create_index("ix_release_experts_lesson_hash", "release_experts", ["lesson_hash"])

    releases = sa.table("releases", sa.column("id"), sa.column("manifest", sa.JSON()))
    for release_id, manifest in op.get_bind().execute(sa.select(*releases.c)).all():
        rows = [{"release_id": release_id, "expert": expert, "lesson_hash": lesson}
                for expert, lesson in lessons_of(manifest).items()]  # fmt: skip
        if rows:
            op.bulk_insert(experts, rows)


def downgrade() -> None:
    for table in ("release_experts", "lesson_records", "lessons"):
        op.drop_table(table)
