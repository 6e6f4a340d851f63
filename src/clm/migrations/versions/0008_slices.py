"""suites are sequences of slices; how a task is examined"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.add_column(sa.Column("exam", sa.String(), nullable=False, server_default="auto"))
        batch_op.add_column(sa.Column("open_slice", sa.Integer(), nullable=False, server_default="1"))
    op.execute("UPDATE tasks SET open_slice = 2 WHERE NOT suite_open")
    with op.batch_alter_table("updates") as batch_op:
        batch_op.add_column(sa.Column("slice", sa.Integer(), nullable=True))
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.drop_column("suite_open")


def downgrade() -> None:
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.add_column(sa.Column("suite_open", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE tasks SET suite_open = (open_slice = 1)")
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.drop_column("open_slice")
        batch_op.drop_column("exam")
    with op.batch_alter_table("updates") as batch_op:
        batch_op.drop_column("slice")
