"""What a person does by command can be done over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from clm.app import create_app
from clm.core.database import Database
from clm.duties.operations import Operations
from clm.ingest import holding
from clm.installation import Installation
from clm.settings import Settings
from cycle_home import MODEL, TEST, Home, town_rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, copy_home: Callable[..., Home]) -> Home:
    home = copy_home(tmp_path_factory.mktemp("http") / "home")
    assert home.run_update("colour").state == "succeeded"
    assert home.run_update("town").state == "succeeded"
    return home


@pytest.fixture
def client(home: Home) -> TestClient:
    return TestClient(create_app(home.installation))


def test_versions_come_in_pages(client: TestClient) -> None:
    path = f"/api/v1/models/{MODEL}/versions"
    every = client.get(path).json()
    assert every["next_cursor"] is None and len(every["items"]) >= 4
    first = client.get(path, params={"limit": 2}).json()
    rest = client.get(path, params={"cursor": first["next_cursor"]}).json()
    assert first["items"] + rest["items"] == every["items"]
    assert client.get(path, params={"cursor": "records-999"}).status_code == 422
    assert client.get("/api/v1/models/nobody/versions").status_code == 404


def test_a_suite_is_shown_in_pages(client: TestClient, home: Home) -> None:
    path = f"/api/v1/models/{MODEL}/tasks/town/suite"
    every = client.get(path).json()["items"]
    snapshot = home.store.snapshot(MODEL)
    assert len(every) == snapshot.suites["town"] > 2
    assert {(row["slice"], row["kind"]) for row in every} == {(1, "own")}
    assert all(row["answer"] in row["prompt"] and row["old_answers"] == [] for row in every)
    first = client.get(path, params={"limit": 2}).json()
    rest = client.get(path, params={"cursor": first["next_cursor"]}).json()
    assert first["items"] + rest["items"] == every
    dropped = {"record_ids": [every[0]["record_id"]], "suite": True, "reason": "it is odd"}
    assert client.post(f"/api/v1/models/{MODEL}/drops", json=dropped).status_code == 200
    assert client.get(path).json()["items"] == every[1:]
    assert client.post(f"/api/v1/models/{MODEL}/drops", json=dropped | {"undo": True}).status_code == 200
    assert client.get(f"/api/v1/models/{MODEL}/tasks/no/suite").status_code == 404


def test_the_replay_memory_is_shown(client: TestClient) -> None:
    memories = client.get(f"/api/v1/models/{MODEL}/memory").json()["items"]
    assert {memory["task"] for memory in memories} == {"colour", "town"}
    assert all(memory["rows"] == len(memory["contents"]) > 0 for memory in memories)
    one = client.get(f"/api/v1/models/{MODEL}/memory", params={"task": "town"}).json()["items"]
    assert [memory["task"] for memory in one] == ["town"]
    assert client.get(f"/api/v1/models/{MODEL}/memory", params={"task": "no"}).status_code == 404


def test_a_rollout_is_started_and_ended(client: TestClient, home: Home) -> None:
    started = client.post(f"/api/v1/deployments/{MODEL}:start", json={"release": "v1", "kind": "canary"})
    assert started.status_code == 201 and started.json()["kind"] == "canary"
    assert client.post(f"/api/v1/deployments/{MODEL}:start", json={"release": "v2"}).status_code == 409
    assert client.post(f"/api/v1/deployments/{MODEL}:abort").status_code == 200
    assert client.post(f"/api/v1/deployments/{MODEL}:start", json={"release": "v9"}).status_code == 404
    assert client.post(f"/api/v1/deployments/{MODEL}:start", json={"release": "v3"}).status_code == 409  # it serves
    assert home.settings.paths.routes.exists()


def test_settings_are_shown_without_the_password(tmp_path_factory: pytest.TempPathFactory) -> None:
    address = "postgresql+psycopg://clm:secret@127.0.0.1/clm"
    tracker = "http://ada:p@ss@tracker.example:5000/ml"
    settings = Settings(home=tmp_path_factory.mktemp("shown"), database_url=address, mlflow_uri=tracker)
    shown = (
        TestClient(create_app(Installation(settings, Database("sqlite://")))).get("/api/v1/settings").json()["items"]
    )
    values = {each["name"]: each["value"] for each in shown}
    assert values["database_url"] == "postgresql+psycopg://clm:***@127.0.0.1/clm"
    assert values["mlflow_uri"] == "http://ada:***@tracker.example:5000/ml"
    assert (values["api_port"], values["judge_url"], values["host"]) == (8080, None, "127.0.0.1")
    assert all(each["meaning"] for each in shown)


def test_held_rows_are_decided(client: TestClient, home: Home) -> None:
    home.take("town", [row | {"completion": "Rome"} for row in town_rows(200, 8)])
    batch = client.get("/api/v1/batches", params={"limit": 1}).json()["items"][0]["id"]
    with home.database.transaction() as session:
        holding.hold(session, TEST, update_id="upd_no", model=MODEL, task="town", batches={batch: 8}, reason="it lost")
    (held,) = client.get(f"/api/v1/models/{MODEL}/held").json()["items"]
    path = f"/api/v1/held/{held['batch_id']}:decide"
    assert (held["batch_id"], held["rows"], held["reason"], held["state"]) == (batch, 8, "it lost", "held")
    tried = client.post(path, json={"decision": "discarded", "dry_run": True})
    assert tried.json()["items"][0]["state"] == "discarded"
    assert client.get(f"/api/v1/models/{MODEL}/held").json()["items"] == [held]  # nothing was changed
    assert client.post(path, json={"decision": "discarded"}).status_code == 200
    assert client.get(f"/api/v1/models/{MODEL}/held").json()["items"] == []
    assert len(client.get(f"/api/v1/models/{MODEL}/held", params={"every": True}).json()["items"]) == 1
    assert client.post(path, json={"decision": "discarded"}).status_code == 409
    assert client.post("/api/v1/held/bat_none:decide", json={"decision": "released"}).status_code == 404


def measured(client: TestClient, home: Home, task: str, body: str = "", **query: str) -> dict[str, Any]:
    """The operation that a question about the impact began, after the worker did it."""
    asked = client.post(f"/api/v1/models/{MODEL}/tasks/{task}:impact", params=query, content=body)
    assert asked.status_code == 202, asked.json()
    Operations(home.installation).tick()
    return client.get(f"/api/v1/operations/{asked.json()['id']}").json()


def test_an_impact_is_measured_by_the_worker(client: TestClient, home: Home) -> None:
    removal = measured(client, home, "town", change="remove")
    assert removal["state"] == "done" and removal["result"]["change"] == "remove"
    assert {row["task"]: row["role"] for row in removal["result"]["tasks"]} == {"colour": "other", "town": "removed"}
    rows = "".join(json.dumps({"prompt": f"how much is pear {n}?", "completion": f"{n}"}) + "\n" for n in range(30))
    addition = measured(client, home, "price", rows, change="add", file_name="../../price.jsonl")
    assert addition["state"] == "done", addition
    assert [row["role"] for row in addition["result"]["tasks"]].count("new") == 1
    few = measured(client, home, "price", rows[: rows.index("\n") + 1])
    assert few["state"] == "failed" and "at least 5 are needed" in few["outcome"]
    assert not list((home.settings.paths.run / "brought").iterdir())  # what was brought is gone again


def test_an_impact_that_can_not_be_asked_for_is_refused(client: TestClient, home: Home) -> None:
    path = f"/api/v1/models/{MODEL}/tasks"
    assert client.post(f"{path}/nothing:impact", params={"change": "remove"}).status_code == 404
    assert client.post(f"{path}/town:impact", params={"change": "remove"}, content="{}").status_code == 422
    assert client.post(f"{path}/town:impact", params={"change": "swap"}).status_code == 422
    assert not list(home.settings.paths.spool.iterdir())


def test_a_task_without_an_expert_is_removed_and_one_with_an_expert_is_not(client: TestClient) -> None:
    path = f"/api/v1/models/{MODEL}/tasks"
    assert client.post(path, json={"name": "later", "protected": True}).status_code == 201
    assert client.delete(f"{path}/later").status_code == 409  # it is protected
    assert client.delete(f"{path}/later", params={"force": True, "dry_run": True}).status_code == 204
    assert "later" in [task["name"] for task in client.get(path).json()["items"]]
    assert client.delete(f"{path}/later", params={"force": True}).status_code == 204
    shown = client.get(path).json()["items"]
    assert [task["name"] for task in shown] == ["colour", "town"] and all(task["suite"] for task in shown)
    refused = client.delete(f"{path}/town")
    assert refused.status_code == 409 and "update of the kind `remove`" in refused.json()["detail"]


def test_a_task_is_removed_with_an_update(client: TestClient, home: Home) -> None:
    wish = {"model": MODEL, "task": "town", "kind": "remove", "rollout": "blue-green"}
    assert client.patch(f"/api/v1/models/{MODEL}/tasks/town", json={"protected": True}).status_code == 200
    assert client.post("/api/v1/updates", json=wish).status_code in (409, 422)
    started = client.post("/api/v1/updates", json=wish | {"force": True})
    assert started.status_code == 201
    assert home.finish(started.json()["id"]).state == "succeeded"
    tasks = client.get(f"/api/v1/models/{MODEL}").json()["tasks"]
    assert [task["name"] for task in tasks] == ["colour"]
