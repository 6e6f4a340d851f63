"""an update keeps what was tried to repair it"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("updates") as batch_op:
        batch_op.add_column(sa.Column("tries", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("updates") as batch_op:
        batch_op.drop_column("tries")
