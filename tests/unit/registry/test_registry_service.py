"""Numbers, names and comparison of releases, and their HTTP side."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.audit.service import verify as verify_audit
from clm.audit.tables import AuditEntry
from clm.core import events, http
from clm.core.caller import Caller
from clm.core.database import Database
from clm.errors import Conflict, InvalidInput, NotFound
from clm.records import Release
from clm.registry import endpoints, service
from clm.registry.bundle import BundleSpec, write_bundle
from clm.settings import Paths, Settings

MakeSpec = Callable[..., BundleSpec]
Register = Callable[..., Release]
CALLER = Caller("worker")


@pytest.fixture
def register(database: Database, paths: Paths, make_spec: MakeSpec) -> Register:
    def run(tasks: tuple[str, ...], parent: str | None = None, model: str = "support", **changes: Any) -> Release:
        bundle = write_bundle(make_spec(tasks, model=model, **changes), paths.releases, paths.keys)
        with database.transaction() as session:
            return service.register(session, CALLER, bundle, model=model, parent=parent, update_id=f"upd_{len(tasks)}")

    return run


def test_releases_are_numbered_per_model(register: Register, database: Database) -> None:
    first = register(())
    second = register(("intent",), parent=first.release_id)
    other = register((), model="legal")
    assert [first.number, second.number, other.number] == [1, 2, 1]
    with database.read() as session:
        assert [r.number for r in service.list_releases(session, "support")] == [2, 1]
        assert len(service.list_releases(session)) == 3
        assert service.list_releases(session, "support")[0] == second
    assert second.parent == first.release_id
    assert second.composition.experts.keys() == {"intent"}


def test_registering_twice_has_one_effect(register: Register, database: Database) -> None:
    assert register(("intent",)) == register(("intent",))
    with database.read() as session:
        assert [e.action for e in session.scalars(select(AuditEntry))] == ["release.register"]
        assert [e.topic for e in events.after(session, 0)] == ["audit", "release"]


def test_a_bundle_of_another_model_or_an_unknown_parent_is_refused(
    register: Register, database: Database, paths: Paths, make_spec: MakeSpec
) -> None:
    bundle = write_bundle(make_spec(), paths.releases, paths.keys)
    with database.transaction() as session, pytest.raises(InvalidInput, match="made for 'support'"):
        service.register(session, CALLER, bundle, model="legal", parent=None, update_id=None)
    with pytest.raises(NotFound, match="no release yet"):
        register(("intent",), parent="0" * 64)


def test_a_release_is_found_by_id_by_first_digits_and_by_number(register: Register, database: Database) -> None:
    first, second = register(()), register(("intent",))
    with database.read() as session:
        assert service.get(session, first.release_id) == first
        assert service.get(session, second.release_id[:12]) == second
        assert service.get(session, "v1", "support") == first
        assert service.get(session, "2", "support") == second
        with pytest.raises(InvalidInput, match="of which model"):
            service.get(session, "v1")
        with pytest.raises(NotFound, match="Known: v1, v2"):
            service.get(session, "v3", "support")
        with pytest.raises(NotFound, match=first.release_id[:12]):
            service.get(session, "zebra")
        with pytest.raises(NotFound, match="no release yet"):
            service.get(session, "v1", "legal")
        with pytest.raises(NotFound):
            service.get(session, first.release_id, "legal")
        with pytest.raises(NotFound):
            service.get(session, "%")


def test_first_digits_that_fit_two_releases_are_refused(register: Register, database: Database) -> None:
    release = register(())
    with database.transaction() as session:
        twin = service.get_row(session, release.release_id)
        fields = {c.name: getattr(twin, c.name) for c in type(twin).__table__.columns}
        session.add(type(twin)(**{**fields, "id": release.release_id[:60] + "0000", "number": 9}))
        session.flush()
        with pytest.raises(Conflict, match="more digits"):
            service.get(session, release.release_id[:10])


def test_the_trackers_version_is_noted_once(register: Register, database: Database) -> None:
    release, later = register(()), register(("intent",))
    for _ in range(2):
        with database.transaction() as session:
            service.note_mlflow_version(session, CALLER, release.release_id, "4")
    with database.read() as session:
        assert [row.id for row in service.not_mirrored(session)] == [later.release_id]
        assert service.get_row(session, release.release_id).mlflow_version == "4"
        assert [e.action for e in session.scalars(select(AuditEntry))] == ["release.register"] * 2 + ["release.mirror"]
        assert verify_audit(session).ok


@pytest.fixture
def pair(register: Register) -> tuple[Release, Release]:
    old = register(("intent", "facts"))
    new = register(
        ("intent", "details"),
        parent=old.release_id,
        lineage={
            "snapshot": {"tables": {"records": 3}},
            "policy": {"training": {"epochs": 4, "seed": 17}},
            "scores": {"intent": {"score": 0.8, "metric": "exact_match", "suite_hash": "s"},
                       "details": {"score": 0.7, "metric": "exact_match", "suite_hash": "t"}},
        },
        expert_lineage={"intent": {"record_ids": ["rec_intent_0", "rec_new"]}, "details": {"record_ids": ["rec_d"]}},
    )  # fmt: skip
    return old, new


def test_what_changed_between_two_releases(pair: tuple[Release, Release], database: Database, paths: Paths) -> None:
    with database.read() as session:
        result = service.compare(session, paths.home, "v1", "v2", "support")
    assert (result.before, result.after) == (pair[0].release_id, pair[1].release_id)
    assert (result.base_changed, result.router_changed) == (False, True)
    assert [(e.task, e.change, e.records_added, e.records_removed) for e in result.experts] == [
        ("details", "added", 1, 0), ("facts", "removed", 0, 3), ("intent", "same", 1, 2),
    ]  # fmt: skip
    assert [(c.name, c.before, c.after) for c in result.config] == [("policy.training.epochs", 3, 4)]
    assert {c.name for c in result.data} == {
        "snapshot.counts.facts", "snapshot.counts.intent", "snapshot.tables.records",
    }  # fmt: skip
    scores = {s.task: s for s in result.scores}
    assert scores["intent"].difference == pytest.approx(0.05)
    assert scores["details"].difference is None


def test_over_http(pair: tuple[Release, Release], database: Database, paths: Paths) -> None:
    old, new = pair

    def aliases_of(session: Session) -> dict[str, endpoints.Alias]:
        return {new.release_id: "champion"}

    app = FastAPI()
    http.install(app, Settings(home=paths.home), database)
    app.include_router(endpoints.create_router(aliases_of))
    client = TestClient(app)
    items = client.get("/releases", params={"model": "support"}).json()["items"]
    assert [(i["number"], i["alias"], i["verdict"]) for i in items] == [(2, "champion", None), (1, None, "pass")]
    assert client.get("/releases", params={"model": "nobody"}).json()["items"] == []
    first = client.get("/releases", params={"limit": 1}).json()
    assert [i["number"] for i in first["items"]] == [2] and first["next_cursor"] == new.release_id
    rest = client.get("/releases", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [i["number"] for i in rest["items"]] == [1] and rest["next_cursor"] is None
    detail = client.get(f"/releases/{old.release_id[:12]}").json()
    assert detail["manifest"] == old.manifest
    assert client.get("/releases/v1/compare/v2", params={"model": "support"}).json()["router_changed"] is True
    assert client.get("/releases/v9", params={"model": "support"}).status_code == 404
    assert client.post(f"/releases/{new.release_id}:verify").json()["ok"] is True
    (paths.home / new.path / "router" / "router.json").write_text("{}")
    verified = client.post("/releases/v2:verify", params={"model": "support"}).json()
    assert verified["ok"] is False
    assert "router/router.json was changed" in verified["reason"]


@pytest.mark.usefixtures("process")
def test_slow_libraries_are_imported_on_first_use_only() -> None:
    code = (
        "import sys, clm.registry.endpoints, clm.registry.tracker, clm.registry.bundle, clm.audit.endpoints\n"
        "print(sorted({'mlflow', 'model_signing', 'torch', 'transformers', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
