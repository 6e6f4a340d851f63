"""Deployments in the database: one champion, shares that add up, ways back, audit and routes that follow."""

import threading
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from clm.audit.tables import AuditEntry
from clm.catalog.service import create_model
from clm.core import http
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.database import Database, sqlite_url
from clm.core.events import Event
from clm.core.files import read_json
from clm.deployment import repository, service
from clm.deployment.endpoints import create_router
from clm.deployment.routes import project_routes
from clm.deployment.tables import Deployment
from clm.errors import Conflict, InvalidInput, NotFound
from clm.monitoring.repository import window
from clm.policies import ModelPolicy, RolloutPolicy
from clm.records import Composition, Release, TrafficWindow
from clm.settings import Settings

CALLER = Caller("test")
POLICY = RolloutPolicy(steps=(10, 50), minimum_requests=20)
GOOD = TrafficWindow(40, 0, 100.0, 0, None)
BAD = TrafficWindow(40, 20, 100.0, 0, None)
NOTHING = TrafficWindow(0, 0, None, 0, None)


def release(letter: str) -> Release:
    return Release(letter * 64, "support", ord(letter) - 96, "", Composition("base", {}, None), None, {})


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


def begin(database: Database, letter: str, policy: RolloutPolicy = POLICY, update: str | None = None) -> str:
    with database.transaction() as session:
        return service.start_rollout(session, CALLER, release(letter), policy, update).id


def tick(
    database: Database,
    rollout: str,
    candidate: TrafficWindow = GOOD,
    ready: bool = True,
    error: str | None = None,
    later: float = 0,
) -> str | None:
    with database.transaction() as session:
        moment = now() + timedelta(seconds=later)
        analysis = service.tick(session, CALLER, rollout, candidate, GOOD, ready, moment, error)
        return analysis.verdict if analysis else None


def act(database: Database, action: str, **how: Any) -> Deployment:
    with database.transaction() as session:
        return service.act(session, CALLER, "support", action, **how)


def seen(database: Database) -> tuple[str, str | None, str | None, float]:
    with database.read() as session:
        row = repository.get_deployment(session, "support")
        short = [value and value[0] for value in (row.champion, row.previous, row.candidate)]
        return str(short[0]), short[1], short[2], row.candidate_share


def test_a_canary_climbs_its_steps_and_is_promoted(database: Database) -> None:
    rollout = begin(database, "b")
    assert seen(database) == ("a", None, "b", 0)
    assert tick(database, rollout, ready=False) is None
    assert seen(database) == ("a", None, "b", 0)
    tick(database, rollout)
    assert seen(database) == ("a", None, "b", 10)
    assert tick(database, rollout, NOTHING) == "hold"
    assert tick(database, rollout) == "promote"
    assert seen(database) == ("a", None, "b", 50)
    assert tick(database, rollout) == "promote"
    assert seen(database) == ("b", "a", None, 0)
    assert tick(database, rollout) is None  # it has ended
    with database.read() as session:
        row = repository.get_rollout(session, rollout)
        assert [(v["step"], v["verdict"]) for v in row.verdicts] == [(0, "hold"), (0, "promote"), (1, "promote")]
        assert row.finished_at is not None


def test_a_harmful_canary_is_taken_back_and_the_reason_kept(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    assert tick(database, rollout, BAD) == "rollback"
    assert seen(database) == ("a", None, None, 0)
    with database.read() as session:
        row = repository.get_rollout(session, rollout)
        assert row.state == "rolled-back"
        assert "20 errors in 40 requests" in (row.reason or "")


def test_a_paused_canary_stays_but_harm_still_takes_it_back(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    act(database, "pause")
    assert tick(database, rollout) == "promote"
    assert seen(database) == ("a", None, "b", 10)
    assert tick(database, rollout, BAD) == "rollback"
    assert seen(database) == ("a", None, None, 0)


def test_a_release_that_the_engine_refuses_never_gets_traffic(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout, ready=False, error="weights were changed")
    assert seen(database) == ("a", None, None, 0)
    with database.read() as session:
        assert "weights were changed" in (repository.get_rollout(session, rollout).reason or "")


def test_blue_green_switches_at_once(database: Database) -> None:
    rollout = begin(database, "b", RolloutPolicy(kind="blue-green"))
    tick(database, rollout)
    assert seen(database) == ("b", "a", None, 0)


def test_the_same_hold_is_remembered_once(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    for _ in range(5):
        tick(database, rollout, NOTHING)
    with database.read() as session:
        assert len(repository.get_rollout(session, rollout).verdicts) == 1


def test_minimum_seconds_are_waited_for(database: Database) -> None:
    rollout = begin(database, "b", RolloutPolicy(minimum_seconds=60, minimum_requests=1))
    tick(database, rollout)
    assert tick(database, rollout, later=59) == "hold"
    assert tick(database, rollout, later=61) == "promote"


def test_rollback_goes_back_and_forth_and_to_any_that_served(database: Database) -> None:
    for letter in ("b", "c"):
        rollout = begin(database, letter)
        for _ in range(3):
            tick(database, rollout)
    assert seen(database) == ("c", "b", None, 0)
    act(database, "rollback")
    assert seen(database) == ("b", "c", None, 0)
    act(database, "rollback")
    assert seen(database) == ("c", "b", None, 0)
    act(database, "rollback", to="aaaa")
    assert seen(database) == ("a", "c", None, 0)
    with pytest.raises(NotFound, match="No single release 'ffff'"):
        act(database, "rollback", to="ffff")
    with database.read() as session:
        kinds = [row.kind for row in repository.history(session, "support")]
    assert kinds == ["rollback", "rollback", "rollback", "canary", "canary"]


def test_rollback_during_a_rollout_keeps_the_champion(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    act(database, "rollback", reason="looks odd")
    assert seen(database) == ("a", None, None, 0)
    with database.read() as session:
        assert repository.get_rollout(session, rollout).reason == "looks odd"
    with pytest.raises(NotFound, match="none to go back to"):
        act(database, "rollback")


def test_rollback_during_a_rollout_can_name_an_older_release(database: Database) -> None:
    rollout = begin(database, "b", RolloutPolicy(kind="blue-green"))
    tick(database, rollout)
    begin(database, "c")
    act(database, "rollback", to="aaaa")
    assert seen(database) == ("a", "b", None, 0)


def test_what_is_not_possible_is_said(database: Database) -> None:
    with pytest.raises(Conflict, match="nothing to promote"):
        act(database, "promote")
    with pytest.raises(InvalidInput, match="Known: promote, pause"):
        act(database, "explode")
    with pytest.raises(Conflict, match="serves model 'support' already"):
        begin(database, "a")
    begin(database, "b")
    with pytest.raises(Conflict, match="is under way"):
        begin(database, "c")
    with pytest.raises(Conflict, match=r"waiting can.t promote"):
        act(database, "promote")


def test_the_same_update_has_one_rollout(database: Database) -> None:
    first = begin(database, "b", update="upd_1")
    assert begin(database, "b", update="upd_1") == first
    act(database, "abort")
    assert begin(database, "b", update="upd_1") == first  # also when it has ended: a repeated step changes nothing


def test_deploying_first_twice_changes_nothing_and_another_is_refused(database: Database) -> None:
    with database.transaction() as session:
        assert service.deploy_first(session, CALLER, "support", release("a")).revision == 1
    with database.transaction() as session, pytest.raises(Conflict, match="start a rollout"):
        service.deploy_first(session, CALLER, "support", release("b"))


def test_every_change_has_an_audit_entry_and_an_event(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    act(database, "promote")
    act(database, "rollback")
    with database.read() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.sequence)))
        events = [e.revision for e in session.scalars(select(Event).where(Event.topic == "deployment"))]
        revision = repository.get_deployment(session, "support").revision
    assert actions[1:] == [
        "deployment.create", "rollout.start", "rollout.ready", "rollout.promote", "deployment.rollback",
    ]  # fmt: skip
    assert events == [1, 2, 3, 4, 5]
    assert revision == 5


def test_routes_follow_the_database(database: Database, settings: Settings) -> None:
    routes = project_routes(database, settings)
    written = settings.paths.routes.stat()
    assert routes["models"]["support"]["champion"] == "a" * 64
    assert project_routes(database, settings) == routes
    assert settings.paths.routes.stat().st_ino == written.st_ino  # unchanged: not written again
    rollout = begin(database, "b")
    assert project_routes(database, settings)["models"]["support"]["candidate_state"] == "warming"
    tick(database, rollout)
    live = project_routes(database, settings)
    assert live["models"]["support"]["candidate_state"] == "live"
    assert live["models"]["support"]["candidate_share"] == 10
    assert live["models"]["support"]["generation"] == {"max_new_tokens": 64, "temperature": 0.0}
    assert live["revision"] > routes["revision"]


def test_projections_that_race_end_at_the_newest_state(database: Database, settings: Settings) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)

    def back_and_forth() -> None:
        for _ in range(5):
            with database.transaction() as session:
                row = repository.get_deployment(session, "support")
                row.candidate_share, row.revision = row.candidate_share + 1, row.revision + 1
            project_routes(database, settings)

    threads = [threading.Thread(target=back_and_forth) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_json(settings.paths.routes)["models"]["support"]["candidate_share"] == 30


@pytest.fixture
def client(database: Database, settings: Settings) -> Generator[TestClient]:
    app = FastAPI()
    http.install(app, settings, database)
    app.include_router(create_router(window), prefix="/api/v1")
    with TestClient(app) as client:
        yield client


def test_the_api_shows_a_rollout_and_moves_it(client: TestClient, database: Database, settings: Settings) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    tick(database, rollout, NOTHING)
    shown = client.get("/api/v1/deployments/support").json()
    assert shown["rollout"]["state"] == "running"
    assert shown["rollout"]["steps"] == [10, 50]
    assert shown["rollout"]["verdicts"][0]["verdict"] == "hold"
    assert [(t["release_id"][0], t["share"]) for t in shown["traffic"]] == [("a", 90), ("b", 10)]
    enabled = {a["action"] for a in shown["allowed_actions"] if a["enabled"]}
    assert enabled == {"promote", "pause", "abort", "rollback"}
    assert client.get("/api/v1/deployments").json()["items"][0]["model"] == "support"

    stale = client.post("/api/v1/deployments/support:rollback", json={"expected_revision": shown["revision"] - 1})
    assert stale.status_code == 409
    assert stale.json()["revision"] == shown["revision"]
    done = client.post("/api/v1/deployments/support:rollback", json={"expected_revision": shown["revision"]})
    assert done.status_code == 200
    assert done.json()["candidate"] is None
    assert 0 < done.json()["rollback_ms"] < 5000
    assert done.json()["history"][0]["reason"] == "rollback by api"
    assert read_json(settings.paths.routes)["models"]["support"]["candidate"] is None
    with database.read() as session:
        assert repository.get_rollout(session, rollout).rollback_ms


def test_the_api_refuses_what_is_not_possible(client: TestClient) -> None:
    assert client.get("/api/v1/deployments/unknown").status_code == 404
    assert "Deployed: support" in client.get("/api/v1/deployments/unknown").json()["detail"]
    assert client.post("/api/v1/deployments/support:promote").status_code == 409
    assert client.post("/api/v1/deployments/support:rollback").status_code == 404
    assert client.post("/api/v1/deployments/support:rollback", json={"weight": 3}).status_code == 422
    assert client.post("/api/v1/deployments/support:explode").status_code == 405
