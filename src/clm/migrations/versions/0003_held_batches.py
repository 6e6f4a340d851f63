"""batches that are held after the gate rejected what was learnt from them"""

import sqlalchemy as sa
from alembic import op

import clm.core.database as db

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "held_batches",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("update_id", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("decided_at", db.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("batch_id", "update_id"),
    )
    with op.batch_alter_table("held_batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_held_batches_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_held_batches_model"), ["model"], unique=False)
        batch_op.create_index(batch_op.f("ix_held_batches_update_id"), ["update_id"], unique=False)


def downgrade() -> None:
    op.drop_table("held_batches")
