from collections.abc import Generator
from pathlib import Path

import pytest

from clm.catalog.service import create_model
from clm.core.database import Database, sqlite_url
from clm.deployment import service
from clm.policies import ModelPolicy
from clm.settings import Settings
from deployments import CALLER, release


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def database(settings: Settings) -> Generator[Database]:
    settings.paths.create()
    database = Database(sqlite_url(settings.paths.database))
    database.migrate()
    with database.transaction() as session:
        create_model(session, CALLER, name="support", base_reference="b", base_hash="base", policy=ModelPolicy())
        service.deploy_first(session, CALLER, "support", release("a"))
    yield database
    database.close()
