"""watched folders become one kind of source"""

import sqlalchemy as sa
from alembic import op

import clm.core.database as db

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    sources = op.create_table(
        "sources",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("suite", sa.Boolean(), nullable=False),
        sa.Column("key", sa.String(), nullable=True),
        sa.Column("created_at", db.UtcDateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("kind", "address"),
    )
    folders = _watched_folders()
    for row in op.get_bind().execute(sa.select(folders)).mappings().all():
        settings = {"path": row["path"]}
        key = (row["settings"] or {}).get("key")
        same = {name: row[name] for name in ("id", "model", "task", "suite", "created_at")}
        op.bulk_insert(sources, [{**same, "kind": "folder", "address": row["path"], "settings": settings, "key": key}])
    op.drop_table("watched_folders")


def downgrade() -> None:
    op.create_table(
        "watched_folders",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("task", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False, unique=True),
        sa.Column("suite", sa.Boolean(), nullable=False),
        sa.Column("created_at", db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
    )
    sources = sa.table(
        "sources",
        *(sa.column(name) for name in ("id", "address", "model", "task", "suite", "key", "kind")),
        sa.column("created_at", db.UtcDateTime(timezone=True)),
    )
    for row in op.get_bind().execute(sa.select(sources).where(sources.c.kind == "folder")).mappings().all():
        same = {name: row[name] for name in ("id", "model", "task", "suite", "created_at")}
        settings = {"key": row["key"]} if row["key"] else {}
        op.bulk_insert(_watched_folders(), [{**same, "path": row["address"], "settings": settings}])
    op.drop_table("sources")


def _watched_folders() -> sa.TableClause:
    return sa.table(
        "watched_folders",
        *(sa.column(name) for name in ("id", "model", "task", "path")),
        sa.column("suite", sa.Boolean()),
        sa.column("created_at", db.UtcDateTime(timezone=True)),
        sa.column("settings", sa.JSON()),
    )
