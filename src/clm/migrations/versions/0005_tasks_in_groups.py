"""tasks in groups, with weights and protection; updates that remove"""

import sqlalchemy as sa
from alembic import op

import clm.core.database as db

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.add_column(sa.Column("group", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("weight", sa.Double(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("protected", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("removed_at", db.UtcDateTime(timezone=True), nullable=True))
    with op.batch_alter_table("updates") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="learn"))


def downgrade() -> None:
    with op.batch_alter_table("updates") as batch_op:
        batch_op.drop_column("kind")
    with op.batch_alter_table("tasks") as batch_op:
        for name in ("removed_at", "protected", "weight", "group"):
            batch_op.drop_column(name)
