"""what a delivery supersedes, and answers that contradict each other"""

import sqlalchemy as sa
from alembic import op

import clm.core.database as db

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("batches") as batch_op:
        for name in ("superseding", "late", "contradicting"):
            batch_op.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("notes", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "conflicts",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("prompt", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("wins", sa.JSON(), nullable=False),
        sa.Column("loses", sa.JSON(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("created_at", db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("decided_at", db.UtcDateTime(timezone=True), nullable=True),
    )
    for column in ("model", "batch_id", "key"):
        op.create_index(f"ix_conflicts_{column}", "conflicts", [column])


def downgrade() -> None:
    op.drop_table("conflicts")
    with op.batch_alter_table("batches") as batch_op:
        for name in ("notes", "contradicting", "late", "superseding"):
            batch_op.drop_column(name)
