"""rows that a person took out, and every revision of a model's policy"""

import sqlalchemy as sa
from alembic import op

import clm.core.database as db

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "dropped_rows",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("suite", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("undone_at", db.UtcDateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_dropped_rows_model", "dropped_rows", ["model"])
    op.create_table(
        "policy_revisions",
        sa.Column("model", sa.String(), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("created_at", db.UtcDateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("policy_revisions")
    op.drop_table("dropped_rows")
