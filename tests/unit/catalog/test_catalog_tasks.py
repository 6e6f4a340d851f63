"""Groups, weights and protection of tasks, and what is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from clm.audit import repository as audit
from clm.catalog import endpoints, service
from clm.core import http
from clm.core.caller import Caller
from clm.core.database import Database, sqlite_url
from clm.errors import Conflict, InvalidInput, NotFound
from clm.policies import ModelPolicy
from clm.settings import Settings

TEST = Caller("test")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    database = Database(sqlite_url(tmp_path / "clm.db"))
    database.migrate()
    with database.transaction() as session:
        service.create_model(session, TEST, name="m", base_reference="b", base_hash="0" * 64, policy=ModelPolicy())
        session.flush()
        service.add_task(session, TEST, model="m", name="intent")
        yield session


def test_a_task_is_in_a_group_with_a_weight_and_can_be_edited(session: Session) -> None:
    task = service.add_task(session, TEST, model="m", name="facts", group="talk", weight=2.5, protected=True)
    assert (task.group, task.weight, task.protected) == ("talk", 2.5, True)
    plain = service.get_task(session, "m", "intent")
    assert (plain.group, plain.weight, plain.protected, plain.removed_at) == (None, 1.0, False, None)
    service.edit_task(session, TEST, "m", "intent", {"group": "talk", "weight": 0.5, "protected": True})
    assert (plain.group, plain.weight, plain.protected) == ("talk", 0.5, True)
    service.edit_task(session, TEST, "m", "intent", {"group": ""})
    assert (plain.group, plain.weight) == (None, 0.5)
    session.flush()
    newest = audit.page(session, before=None, limit=1)[0]
    assert newest.action == "task.edit" and newest.before is not None and newest.after is not None
    assert (newest.before["group"], newest.after["group"]) == ("talk", None)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight": 0.0}, "above 0"),
        ({"weight": float("nan")}, "above 0"),
        ({"margin": 1.5}, "between 0 and 1"),
        ({"group": "No Spaces"}, "can't name a group"),
        ({}, "Say what to change"),
        ({"metric": "token_f1"}, "Say what to change"),
    ],
)
def test_what_can_not_be_said_of_a_task_is_refused(session: Session, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        service.edit_task(session, TEST, "m", "intent", changes)


def test_a_protected_task_is_not_loosened_and_not_removed(session: Session) -> None:
    service.edit_task(session, TEST, "m", "intent", {"protected": True})
    with pytest.raises(InvalidInput, match=r"protected: its margin stays at 0.05 or below.*--no-protected"):
        service.edit_task(session, TEST, "m", "intent", {"margin": 0.2, "protected": False})
    assert service.edit_task(session, TEST, "m", "intent", {"margin": 0.02}).margin == 0.02
    with pytest.raises(InvalidInput, match=r"stays at 0.02 or below"):
        service.edit_task(session, TEST, "m", "intent", {"margin": None})  # the policy's is wider
    with pytest.raises(Conflict, match=r"protected and is not removed.*--force"):
        service.check_removable(session, "m", "intent")
    assert service.check_removable(session, "m", "intent", force=True).name == "intent"
    service.edit_task(session, TEST, "m", "intent", {"protected": False})
    assert service.edit_task(session, TEST, "m", "intent", {"margin": 0.2}).margin == 0.2


def test_a_removed_task_is_hidden_and_can_come_back(session: Session) -> None:
    service.mark_removed(session, TEST, "m", "intent")
    service.mark_removed(session, TEST, "m", "intent")
    assert service.list_tasks(session, "m") == []
    assert [task.name for task in service.list_tasks(session, "m", removed=True)] == ["intent"]
    with pytest.raises(NotFound, match="was removed on"):
        service.edit_task(session, TEST, "m", "intent", {"weight": 2.0})
    again = service.add_task(session, TEST, model="m", name="intent", metric="token_f1", weight=3)
    assert (again.metric, again.weight, again.removed_at) == ("token_f1", 3, None)
    with pytest.raises(Conflict, match="already"):
        service.add_task(session, TEST, model="m", name="intent")
    session.flush()
    assert [entry.action for entry in audit.page(session, before=None, limit=50)].count("task.remove") == 1


def test_the_api_changes_only_what_it_is_told(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "clm.db"))
    database.migrate()
    with database.transaction() as session:
        service.create_model(session, TEST, name="m", base_reference="b", base_hash="0" * 64, policy=ModelPolicy())
    app = FastAPI()
    http.install(app, Settings.load(home=tmp_path), database)
    app.include_router(endpoints.router)
    client = TestClient(app)
    made = client.post("/api/v1/models/m/tasks", json={"name": "intent", "group": "talk", "weight": 2, "margin": 0.1})
    assert made.status_code == 201, made.text
    changed = client.patch("/api/v1/models/m/tasks/intent", json={"protected": True, "margin": None})
    told = changed.json()
    assert (told["group"], told["weight"], told["protected"], told["margin"]) == ("talk", 2, True, None)
    assert client.patch("/api/v1/models/m/tasks/intent", json={"weight": 0}).status_code == 422
    assert client.patch("/api/v1/models/m/tasks/intent", json={"margin": 0.3}).status_code == 422
    assert client.patch("/api/v1/models/m/tasks/tone", json={"weight": 2}).status_code == 404
