"""paths are relative to the home, so that a home can be moved"""

from pathlib import PurePath

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    connection = op.get_bind()
    connection.execute(sa.text("UPDATE releases SET path = 'releases/' || id"))
    waiting = connection.execute(sa.text("SELECT id, spool_path FROM batches WHERE spool_path IS NOT NULL")).all()
    for batch, path in waiting:
        connection.execute(
            sa.text("UPDATE batches SET spool_path = :path WHERE id = :id"),
            {"path": f"spool/{PurePath(path).name}", "id": batch},
        )


def downgrade() -> None:
    """What was absolute before can't be told; the relative paths work from within the home."""
