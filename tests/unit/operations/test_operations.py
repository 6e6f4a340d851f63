"""What takes long and is no update is asked for, done by the worker, and told."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from clm.app import create_app
from clm.catalog import service as catalog
from clm.duties.operations import KINDS, Operations
from clm.installation import Installation, open_home
from clm.operations import service
from clm.settings import Settings
from tiny import tiny_base


@pytest.fixture
def on(tmp_path: Path) -> Generator[Installation]:
    on = open_home(Settings.load(home=tmp_path / "home", jobs="inline"))
    yield on
    on.database.close()


@pytest.fixture
def client(on: Installation) -> TestClient:
    return TestClient(create_app(on))


def ask(client: TestClient, base: str, name: str = "m", **more: Any) -> Any:
    return client.post("/api/v1/models", json={"name": name, "base": base, **more})


def test_a_model_is_made_over_http(client: TestClient, on: Installation, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "tiny")
    asked = ask(client, str(base), policy={"gate": {"margin": 0.1}})
    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    again = ask(client, str(base))
    assert again.status_code == 409 and asked.json()["id"] in again.json()["detail"]
    Operations(on).tick()
    done = client.get(f"/api/v1/operations/{asked.json()['id']}").json()
    assert (done["state"], done["progress"]) == ("done", None)
    assert "Model m is made" in done["outcome"]
    assert client.get("/api/v1/deployments/m").json()["champion"] == done["result"]["release_id"]
    assert client.get("/api/v1/models/m").json()["policy"]["gate"]["margin"] == 0.1
    assert ask(client, str(base)).status_code == 409  # the name is taken
    assert client.get("/api/v1/operations").json()["items"] == [done]
    said = [event["sentence"] for event in client.get("/api/v1/overview").json()["events"]]
    assert any(sentence.startswith("Operation done") for sentence in said)


def test_what_can_not_be_done_says_why_and_keeps_no_other_waiting(
    client: TestClient, on: Installation, tmp_path: Path
) -> None:
    wrong = ask(client, str(tmp_path / "nowhere"), "bad").json()["id"]
    right = ask(client, str(tiny_base(tmp_path / "tiny")), "good").json()["id"]
    Operations(on).tick()
    failed = client.get(f"/api/v1/operations/{wrong}").json()
    assert failed["state"] == "failed" and "nowhere" in failed["outcome"] and failed["result"]["status"] == 404
    assert client.get(f"/api/v1/operations/{right}").json()["state"] == "done"
    assert ask(client, "x", "Not A Name").status_code == 422
    assert ask(client, "x", "m", polcy={}).status_code == 422
    assert client.get("/api/v1/operations/opn_none").status_code == 404


def test_one_that_was_cut_off_after_its_change_is_not_done_twice(
    client: TestClient, on: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(client, str(tiny_base(tmp_path / "tiny"))).json()["id"]

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(service, "finish", killed)
        with pytest.raises(SystemExit):
            Operations(on).tick()
    assert client.get(f"/api/v1/operations/{asked}").json()["state"] == "running"
    Operations(on).tick()
    assert client.get(f"/api/v1/operations/{asked}").json()["state"] == "done"
    with on.database.read() as session:
        assert [model.name for model in catalog.list_models(session)] == ["m"]


def test_pages_of_operations(client: TestClient, on: Installation) -> None:
    ids = [ask(client, "nowhere", f"m{n}").json()["id"] for n in range(3)]
    first = client.get("/api/v1/operations", params={"limit": 2}).json()
    rest = client.get("/api/v1/operations", params={"cursor": first["next_cursor"]}).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert "make-model" in KINDS
