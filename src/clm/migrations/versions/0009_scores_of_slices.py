"""scores of a suite's slices beside those of the whole suite"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("scores") as batch_op:
        batch_op.add_column(sa.Column("slice", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("kind", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("is_new", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("stale", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.execute("DELETE FROM scores WHERE slice IS NOT NULL")
    with op.batch_alter_table("scores") as batch_op:
        for name in ("stale", "is_new", "kind", "slice"):
            batch_op.drop_column(name)
