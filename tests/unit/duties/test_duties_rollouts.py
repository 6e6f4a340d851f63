"""No candidate gets traffic on no evidence, and no rollout waits for another one's engine."""

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clm.deployment import repository
from clm.deployment import service as deployment
from clm.deployment.targets.targets import reconcile
from clm.duties.rollouts import Rollouts
from clm.installation import Installation
from clm.policies import RolloutPolicy
from clm.serving.engines.transformers import TransformersControl
from serving_home import CALLER, MODEL, ServingHome, make_home

AT_ONCE = RolloutPolicy(kind="blue-green")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServingHome]:
    home = make_home(tmp_path_factory.mktemp("delivery"), count=2)
    yield home
    home.database.close()


@pytest.fixture
def home(made: ServingHome) -> Generator[ServingHome]:
    yield made
    if champion(made) != "v1":
        made.act("rollback")
    elif waiting(made):
        made.act("abort")


def champion(home: ServingHome) -> str:
    with home.database.read() as session:
        release = repository.get_deployment(session, MODEL).champion
    return next(name for name, one in home.releases.items() if one.release_id == release)


def waiting(home: ServingHome) -> bool:
    with home.database.read() as session:
        return bool(repository.rollouts_under_way(session))


def begin(home: ServingHome, update_id: str | None = None) -> str:
    with home.database.transaction() as session:
        rollout = deployment.start_rollout(session, CALLER, home.releases["v2"], AT_ONCE, update_id).id
    reconcile(home.database, home.settings)
    return rollout


def delivery(home: ServingHome, engine: Callable[[httpx.Request], httpx.Response]) -> Rollouts:
    """With an engine that answers as said; no process list lies in this home."""
    control = TransformersControl(home.settings, httpx.MockTransport(engine))
    return Rollouts(Installation(home.settings, home.database), engine=control)


def knowing(*ready: str, loading: tuple[str, ...] = ()) -> Callable[[httpx.Request], httpx.Response]:
    told: dict[str, Any] = {"revision": 1, "ready": list(ready), "loading": list(loading), "errors": {}}
    return lambda _: httpx.Response(200, json=told)


def refused(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there")


def test_without_a_process_list_the_engine_that_holds_the_champion_has_to_hold_the_candidate(home: ServingHome) -> None:
    old, new = (home.releases[name].release_id for name in ("v1", "v2"))
    begin(home)
    loading = delivery(home, knowing(old, loading=(new,)))
    loading.tick()
    assert champion(home) == "v1" and waiting(home)
    delivery(home, knowing(old, new)).tick()
    assert champion(home) == "v2"


@pytest.mark.parametrize("engine", [refused, knowing("f" * 64)], ids=["none", "somebody else's"])
def test_where_nothing_serves_the_switch_needs_no_engine(
    home: ServingHome, engine: Callable[[httpx.Request], httpx.Response]
) -> None:
    begin(home)
    delivery(home, engine).tick()
    assert champion(home) == "v2"


def test_answers_that_are_missing_are_no_parity(
    home: ServingHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(home, "upd_gone")
    monkeypatch.setattr(Rollouts, "_evaluated_in", lambda *_: tmp_path / "evaluate")
    delivery(home, knowing(*(one.release_id for one in home.releases.values()))).tick()
    assert champion(home) == "v1" and not waiting(home)
    with home.database.read() as session:
        ended = repository.history(session, MODEL)[0]
    assert "the answers that the gate evaluated are missing" in (ended.reason or "")


def test_a_slow_engine_holds_nobody_up(home: ServingHome) -> None:
    def slow(_: httpx.Request) -> httpx.Response:
        time.sleep(3)
        return httpx.Response(200, json={"ready": [], "loading": [], "errors": {}})

    begin(home)
    started = time.monotonic()
    looking = delivery(home, slow)
    looking.tick()
    assert time.monotonic() - started < 2.5
    assert champion(home) == "v1" and waiting(home)
