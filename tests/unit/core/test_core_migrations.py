"""An older home keeps what it knows when its schema is brought up to date."""

import json
from pathlib import Path

from alembic import command
from sqlalchemy import text

from clm.core.database import Database, sqlite_url
from clm.ingest import repository
from clm.migrations import config_of, upgrade


def test_watched_folders_become_sources_and_can_go_back(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "clm.db"))
    command.upgrade(config_of(database), "0010")
    row = {"id": "src_1", "model": "m", "task": "t", "path": "/data/in", "at": "2026-01-02 03:04:05.000000",
           "settings": json.dumps({"key": "sku"})}  # fmt: skip
    with database.transaction() as session:
        insert = "INSERT INTO watched_folders VALUES (:id, :model, :task, :path, 1, :at, :settings)"
        session.execute(text(insert), row)
    upgrade(database)
    with database.read() as session:
        (source,) = repository.list_sources(session)
    assert (source.id, source.kind, source.address, source.settings) == (
        "src_1",
        "folder",
        "/data/in",
        {"path": "/data/in"},
    )
    assert (source.model, source.task, source.suite, source.key) == ("m", "t", True, "sku")
    assert source.created_at.isoformat() == "2026-01-02T03:04:05+00:00"
    command.downgrade(config_of(database), "0010")
    with database.read() as session:
        back = session.execute(text("SELECT id, path, suite, settings FROM watched_folders")).one()
    assert (back[0], back[1], back[2], json.loads(back[3])) == ("src_1", "/data/in", 1, {"key": "sku"})
    database.close()
