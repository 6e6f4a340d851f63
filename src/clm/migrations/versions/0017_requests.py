"""what an operation was asked is called its request, as everywhere"""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    with op.batch_alter_table("operations") as table:
        table.alter_column("wish", new_column_name="request")


def downgrade() -> None:
    with op.batch_alter_table("operations") as table:
        table.alter_column("request", new_column_name="wish")
