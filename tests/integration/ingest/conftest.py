import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ingest_room import CALLER, Room

from clm.catalog import service as catalog
from clm.core.database import Database
from clm.policies import ModelPolicy
from clm.settings import Settings
from clm.store.store import Store


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One migrated database file with the model; each test copies it."""
    home = tmp_path_factory.mktemp("migrated")
    settings = Settings.load(home=home)
    settings.paths.create()
    database = Database(settings.database)
    database.migrate()
    with database.transaction() as session:
        catalog.create_model(session, CALLER, name="m", base_reference="b", base_hash="0" * 64, policy=ModelPolicy())
        catalog.add_task(session, CALLER, model="m", name="intent", holdout=0)
        catalog.add_task(session, CALLER, model="m", name="split", holdout=0.5)
    database.close()
    with closing(sqlite3.connect(settings.paths.database)) as connection:
        connection.execute("VACUUM INTO ?", (str(home / "copy.db"),))
    return home / "copy.db"


@pytest.fixture(scope="session")
def make_room(migrated: Path) -> Callable[..., Room]:
    def make(home: Path, **more: Any) -> Room:
        settings = Settings.load(home=home, **more)
        settings.paths.create()
        settings.paths.database.write_bytes(migrated.read_bytes())
        return Room(settings, Database(settings.database), Store(settings.paths.data))

    return make


@pytest.fixture
def room(make_room: Callable[..., Room], tmp_path: Path) -> Room:
    return make_room(tmp_path / "home")
