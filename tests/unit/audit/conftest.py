import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clm.core.database import Database, sqlite_url
from clm.settings import Paths


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the newest schema: copying it is faster than migrating again."""
    file = tmp_path_factory.mktemp("migrated") / "clm.db"
    database = Database(sqlite_url(file))
    database.migrate()
    database.close()
    return file


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path)
    paths.create()
    return paths


@pytest.fixture
def database(paths: Paths, migrated_file: Path) -> Iterator[Database]:
    shutil.copyfile(migrated_file, paths.database)
    database = Database(sqlite_url(paths.database))
    yield database
    database.close()
