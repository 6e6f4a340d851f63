"""A POST with an Idempotency-Key has one effect, whatever happens on the way."""

import threading
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from clm.app import create_app
from clm.catalog import service as catalog
from clm.core import idempotency
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.idempotency import IdempotencyKey
from clm.installation import Installation, open_home
from clm.policies import ModelPolicy
from clm.settings import Settings
from clm.updates import repository
from clm.updates import service as updates

TEST = Caller("test")
WISH = {"model": "m", "task": "intent"}


@pytest.fixture
def on(tmp_path: Path) -> Generator[Installation]:
    on = open_home(Settings.load(home=tmp_path / "home"))
    with on.database.transaction() as session:
        catalog.create_model(session, TEST, name="m", base_reference="b", base_hash="0" * 64, policy=ModelPolicy())
        catalog.add_task(session, TEST, model="m", name="intent")
    yield on
    on.database.close()


@pytest.fixture
def client(on: Installation) -> TestClient:
    return TestClient(create_app(on), raise_server_exceptions=False)


def start(client: TestClient, key: str = "k1", wish: dict[str, Any] = WISH) -> Any:
    return client.post("/api/v1/updates", json=wish, headers={"Idempotency-Key": key})


def started(on: Installation) -> int:
    with on.database.read() as session:
        return len(repository.list_updates(session, model="m"))


def states(on: Installation) -> list[str]:
    with on.database.read() as session:
        return [row.state for row in session.query(IdempotencyKey)]


def test_the_same_request_again_gets_the_same_answer(client: TestClient, on: Installation) -> None:
    first, again = start(client), start(client)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert started(on) == 1
    assert client.post("/api/v1/updates", json=WISH).status_code == 409  # without a key it is another wish


def test_a_key_belongs_to_one_request(client: TestClient, on: Installation) -> None:
    assert start(client).status_code == 201
    other = start(client, wish=WISH | {"rollout": "canary"})
    assert other.status_code == 409 and "another request" in other.json()["detail"]
    cancelled = client.post(f"/api/v1/updates/{start(client).json()['id']}:cancel", headers={"Idempotency-Key": "k1"})
    assert cancelled.status_code == 200  # another address: another request
    assert started(on) == 1
    for odd in ("", "x" * 201):
        assert start(client, odd).status_code == 422


def test_what_was_refused_lets_go_of_its_key(client: TestClient, on: Installation) -> None:
    assert start(client, wish={"model": "m", "task": "no"}).status_code == 404
    assert start(client, wish={"model": "m"}).status_code == 422
    assert states(on) == []
    assert start(client).status_code == 201


def test_a_mistake_of_ours_before_the_change_lets_go_too(
    client: TestClient, on: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("clm.updates.service.create_update", broken)
        assert start(client).status_code == 500
    assert start(client).status_code == 201 and started(on) == 1


def test_after_a_crash_between_change_and_answer_nothing_is_done_twice(
    client: TestClient, on: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "_keep", killed)
        with pytest.raises(BaseException):  # noqa: B017 - whatever the test client makes of it
            start(client)
    assert (started(on), states(on)) == (1, ["done"])
    again = start(client)
    assert again.status_code == 409 and "was done before" in again.json()["detail"]
    assert started(on) == 1


def test_two_at_once_have_one_effect(client: TestClient, on: Installation) -> None:
    together = threading.Barrier(4)
    answers: list[Any] = []

    def ask() -> None:
        together.wait(20)
        answers.append(start(client))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 4
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert all("being answered" in answer.json()["detail"] for answer in answers if answer.status_code == 409)
    assert started(on) == 1


def test_the_claim_of_a_process_that_died_is_free_after_a_while(client: TestClient, on: Installation) -> None:
    assert start(client).status_code == 201
    with on.database.transaction() as session:
        row = session.query(IdempotencyKey).one()
        row.state, row.at = "claimed", now()
    assert start(client).status_code == 409
    with on.database.transaction() as session:
        session.query(IdempotencyKey).one().at = now() - timedelta(minutes=5)
    assert "is waiting to start already" in start(client).json()["detail"]  # it was tried again


def test_who_was_overtaken_changes_nothing(
    client: TestClient, on: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that takes longer than a claim is waited for: another one comes under its key, and goes first."""
    real, other = updates.create_update, TestClient(create_app(on), raise_server_exceptions=False)
    late: list[Any] = []

    def slow(session: Session, *_: Any, **__: Any) -> Any:
        with monkeypatch.context() as patched:
            patched.setattr("clm.updates.service.create_update", real)
            patched.setattr(idempotency, "PATIENCE", timedelta(0))
            late.append(threading.Thread(target=lambda: late.append(start(other))))
            late[0].start()
            late[0].join(30)
        catalog.add_task(session, TEST, model="m", name="late")
        return repository.list_updates(session, model="m")[0]

    monkeypatch.setattr("clm.updates.service.create_update", slow)
    first = start(client)
    assert late[1].status_code == 201 and started(on) == 1
    assert first.status_code == 409 and "being answered" in first.json()["detail"]
    with on.database.read() as session:
        assert [task.name for task in catalog.list_tasks(session, "m")] == ["intent"]
    assert start(client).json() == late[1].json()


def test_keys_are_forgotten_after_a_day(client: TestClient, on: Installation) -> None:
    assert start(client).status_code == 201
    with on.database.transaction() as session:
        idempotency.prune(session, now() - idempotency.KEPT)
    assert states(on) == ["answered"]
    with on.database.transaction() as session:
        idempotency.prune(session, now() + timedelta(seconds=1))
    assert states(on) == []
