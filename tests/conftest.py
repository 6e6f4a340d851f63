"""Tests reach no other host: the Hugging Face libraries are told so before anything imports them.

With TEST_DEVICE=cuda bases are loaded there wherever a test names no device. With `pytest -n 2` every worker computes
with one thread, the tests of a file stay together, and those that own ports or watch the clock run one after the other.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from clm.core.database import Database
    from clm.policies import ModelPolicy
    from cycle_home import Home

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
MARKS = {"process", "ports", "browser"}  # fixtures that say what a test is
PARALLEL = "PYTEST_XDIST_WORKER" in os.environ
if PARALLEL:
    os.environ["OMP_NUM_THREADS"] = "1"

settings.register_profile("clm", deadline=None)  # how fast this machine is now is no property of the code
settings.load_profile("clm")

if device := os.environ.get("TEST_DEVICE"):
    from clm.llm import base

    base.load_base.__defaults__ = (device, "float32")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks follow from the fixtures that a test uses. A file's tests share its fixtures, so they stay in one worker;
    what takes longest begins first."""
    for item in items:
        for mark in MARKS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("ports") if mark == "ports" else mark)
    if not PARALLEL:
        return
    slow: dict[str, int] = {}
    for item in items:
        marker = item.get_closest_marker("xdist_group")
        group = str(marker.args[0]) if marker else item.path.stem
        if marker is None:
            item.add_marker(pytest.mark.xdist_group(group))
        slow[group] = slow.get(group, 0) + (item.get_closest_marker("slow") is not None)
        item.stash[_GROUP] = group
    items.sort(key=lambda item: (item.stash[_GROUP] != "ports", -slow[item.stash[_GROUP]], item.stash[_GROUP]))


_GROUP = pytest.StashKey[str]()
_popen = subprocess.Popen.__init__
_may_start = True  # before and between tests


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None]:
    global _may_start
    _may_start = any(item.get_closest_marker(name) for name in ("process", "browser"))
    yield
    _may_start = True


def _start(self: "subprocess.Popen[Any]", args: Any, *more: Any, **named: Any) -> None:
    program = args[0] if isinstance(args, Sequence) and not isinstance(args, str) else args
    if not _may_start and Path(str(program)).parent == Path(sys.executable).parent:
        raise AssertionError(f"This test starts a process of ours ({args}): let it use the fixture `process`.")
    _popen(self, args, *more, **named)


subprocess.Popen.__init__ = _start  # so that `make test-fast`, which leaves `process` out, is what it says


@pytest.fixture(scope="session")
def process() -> None:
    """The test starts a process of ours (a worker, a service, a job, Python); `make test-fast` leaves it out."""


@pytest.fixture(scope="session")
def ports(process: None) -> None:
    """It owns ports or watches the clock too: such tests run one after the other."""


@pytest.fixture(scope="session")
def copy_home(tmp_path_factory: pytest.TempPathFactory) -> "Callable[..., Home]":
    """`copy_home(path, policy=…)`: see `cycle_home`, for fixtures of a module or a session."""
    from cycle_home import POLICY, Home  # takes a second, which most tests don't need
    from prepared import once

    prepared = once(tmp_path_factory, "home", Home.make)
    return lambda path, policy=None: Home.copy(prepared, path, policy or POLICY)


@pytest.fixture
def make_home(copy_home: "Callable[..., Home]", tmp_path: Path) -> "Callable[..., Home]":
    """`make_home(name, policy=…)`: see `cycle_home`. The name has what paths may have and patterns and URLs give a
    meaning to."""

    def make(name: str = "höme *&'", policy: "ModelPolicy | None" = None) -> "Home":
        return copy_home(tmp_path / name, policy)

    return make


@pytest.fixture(scope="session")
def postgres() -> "Generator[str]":
    """See `postgres.server`; one for all tests that want it, which are skipped where it is not installed."""
    from postgres import server

    with server() as url:
        if url is None:
            pytest.skip("PostgreSQL is not installed")
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> "Generator[Database]":
    """An empty database of the newest schema: every test that takes it runs on both kinds."""
    from clm.core.database import Database, sqlite_url
    from clm.core.ids import new_id

    url = sqlite_url(tmp_path / "clm.db")
    if request.param == "postgresql":
        from postgres import new_database

        url = new_database(request.getfixturevalue("postgres"), new_id("tst"))
    database = Database(url)
    database.migrate()
    yield database
    database.close()
