"""One home, one engine and one gateway for all tests here; each leaves v1 as the champion and no rollout."""

from collections.abc import Generator

import pytest

from serving_home import ServingHome, make_home, running


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServingHome]:
    home = make_home(tmp_path_factory.mktemp("serving"), count=4)
    with running(home, "clm.serving.engine", "clm.processes.gateway"):
        yield home
    home.database.close()
