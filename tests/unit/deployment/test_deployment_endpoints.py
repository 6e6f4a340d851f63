"""What leaves the database: the routes that serving follows, and the API."""

import threading
from collections.abc import Generator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from clm.core import http
from clm.core.database import Database
from clm.core.files import read_json
from clm.deployment import repository
from clm.deployment.endpoints import create_router
from clm.deployment.targets.targets import reconcile
from clm.monitoring.repository import window
from clm.settings import Settings
from deployments import NOTHING, begin, tick


def test_routes_follow_the_database(database: Database, settings: Settings) -> None:
    routes = reconcile(database, settings)
    written = settings.paths.routes.stat()
    assert routes.models["support"].champion == "a" * 64
    assert reconcile(database, settings) == routes
    assert settings.paths.routes.stat().st_ino == written.st_ino  # unchanged: not written again
    rollout = begin(database, "b")
    assert reconcile(database, settings).models["support"].candidate_state == "warming"
    tick(database, rollout)
    live = reconcile(database, settings)
    assert live.models["support"].candidate_state == "live"
    assert live.models["support"].candidate_share == 10
    assert (live.models["support"].max_new_tokens, live.models["support"].temperature) == (64, 0.0)
    assert live.revision > routes.revision


def test_projections_that_race_end_at_the_newest_state(database: Database, settings: Settings) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)

    def back_and_forth() -> None:
        for _ in range(5):
            with database.transaction() as session:
                row = repository.get_deployment(session, "support")
                row.candidate_share, row.revision = row.candidate_share + 1, row.revision + 1
            reconcile(database, settings)

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
