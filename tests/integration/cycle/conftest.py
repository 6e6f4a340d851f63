from collections.abc import Callable
from pathlib import Path

import pytest

from clm.policies import ModelPolicy
from cycle_home import POLICY, Home
from tiny import tiny_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def make_home(tmp_path: Path, base: Path) -> Callable[..., Home]:
    def make(name: str = "home", policy: ModelPolicy = POLICY) -> Home:
        return Home(tmp_path / name, base, policy)

    return make
