"""One entry per change, in the transaction of the change; heads that are signed; the HTTP side."""

import threading
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from clm.audit import endpoints, heads, service
from clm.audit.tables import AuditEntry
from clm.core import events, http, keys
from clm.core.caller import Caller
from clm.core.database import Database
from clm.errors import TamperedArtifact
from clm.settings import Paths, Settings

CALLER = Caller("worker")


def write(database: Database, count: int) -> None:
    with database.transaction() as session:
        for n in range(count):
            service.append(session, CALLER, "task.add", "task", f"tsk_{n}", after={"n": n})


def entries(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def test_a_change_that_is_dropped_leaves_no_entry_and_no_event(database: Database) -> None:
    def fail() -> None:
        with database.transaction() as session:
            service.append(session, CALLER, "model.create", "model", "m")
            raise RuntimeError("the change fails")

    with pytest.raises(RuntimeError):
        fail()
    assert entries(database) == 0
    write(database, 1)
    with database.read() as session:
        assert [(e.topic, e.object_id) for e in events.after(session, 0)] == [("audit", "1")]


def test_the_caller_and_the_reason_are_kept(database: Database) -> None:
    caller = Caller("api", request_id="req_7", reason="it was slow")
    with database.transaction() as session:
        entry = service.append(session, caller, "deployment.rollback", "deployment", "m", before={"champion": "b"})
    assert (entry.actor, entry.request_id, entry.reason) == ("api", "req_7", "it was slow")
    assert (entry.before, entry.after) == ({"champion": "b"}, None)


def test_what_is_not_json_is_refused(database: Database) -> None:
    with database.transaction() as session:
        with pytest.raises(ValueError, match="JSON"):
            service.append(session, CALLER, "a.b", "k", "o", after={"loss": float("nan")})
        with pytest.raises(TypeError):
            service.append(session, CALLER, "a.b", "k", "o", after={"path": Path()})


def test_parallel_writers_leave_no_gap_and_no_fork(database: Database) -> None:
    threads = [threading.Thread(target=lambda: [write(database, 1) for _ in range(10)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        result = service.verify(session)
    assert (result.ok, result.entries) == (True, 80)


@pytest.mark.parametrize("statement", [
    "UPDATE audit SET actor = 'eve' WHERE sequence = 2",
    "DELETE FROM audit WHERE sequence = 2",
    "DELETE FROM audit",
    "INSERT OR REPLACE INTO audit SELECT 2, at, 'eve', action, object_kind, object_id, before, after, reason, "
    "request_id, previous_hash, hash FROM audit WHERE sequence = 2",
    "INSERT INTO audit SELECT 9, at, 'eve', action, object_kind, object_id, before, after, reason, "
    "request_id, previous_hash, hash FROM audit WHERE sequence = 2",
])  # fmt: skip
def test_the_database_refuses_to_change_entries(database: Database, statement: str) -> None:
    write(database, 3)
    with pytest.raises(DatabaseError, match="audit entries are"), database.transaction() as session:
        session.execute(text(statement))
    with database.read() as session:
        assert service.verify(session) == service.Verification(True, 3, None, "All 3 entries hold.")


def test_heads_are_written_once_per_state(database: Database, paths: Paths) -> None:
    assert heads.anchor(database, paths) is None  # nothing to sign yet
    write(database, 2)
    first = heads.anchor(database, paths)
    assert first is not None
    assert heads.anchor(database, paths) is None
    write(database, 1)
    second = heads.anchor(database, paths)
    assert second is not None
    assert heads.read_heads(paths) == ([first, second], None)
    with database.read() as session:
        assert service.verify(session, paths).anchored == 3


def test_a_torn_last_line_is_cut_and_written_again(database: Database, paths: Paths) -> None:
    write(database, 1)
    first = heads.anchor(database, paths)
    file = paths.logs / heads.HEADS
    whole = file.read_bytes()
    write(database, 1)
    heads.anchor(database, paths)
    file.write_bytes(file.read_bytes()[:-20])
    assert heads.read_heads(paths) == ([first], None)
    assert file.read_bytes() == whole
    assert heads.anchor(database, paths) is not None


def test_a_changed_head_is_found_and_stops_signing(database: Database, paths: Paths) -> None:
    write(database, 2)
    heads.anchor(database, paths)
    file = paths.logs / heads.HEADS
    file.write_text(file.read_text().replace('"sequence":2', '"sequence":1'))
    with database.read() as session:
        result = service.verify(session, paths)
    assert not result.ok
    assert "not signed" in result.reason
    with pytest.raises(TamperedArtifact, match="not signed"):
        heads.anchor(database, paths)


def test_a_head_of_another_installation_is_refused(database: Database, paths: Paths, tmp_path: Path) -> None:
    write(database, 1)
    foreign = Paths(tmp_path / "foreign")
    foreign.create()
    foreign.logs = paths.logs
    heads.anchor(database, foreign)
    with database.read() as session:
        assert not service.verify(session, paths).ok


def test_nothing_is_signed_over_an_older_database(database: Database, paths: Paths) -> None:
    write(database, 5)
    heads.anchor(database, paths)
    older = Database("sqlite://")
    older.migrate()
    write(older, 3)
    with pytest.raises(TamperedArtifact, match="old database"):
        heads.anchor(older, paths)
    older.close()


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(keys.ensure_key(tmp_path).read_bytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    assert keys.ensure_key(tmp_path).stat().st_mode & 0o777 == 0o600
    assert keys.is_signed(tmp_path, b"message", keys.sign(tmp_path, b"message"))
    assert not keys.is_signed(tmp_path, b"other", keys.sign(tmp_path, b"message"))


def test_pages_and_verification_over_http(database: Database, paths: Paths) -> None:
    write(database, 7)
    heads.anchor(database, paths)
    app = FastAPI()
    http.install(app, Settings(home=paths.home), database)
    app.include_router(endpoints.router)
    client = TestClient(app)
    seen: list[int] = []
    cursor: int | None = None
    while True:
        page = client.get("/audit", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["sequence"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert client.get("/audit", params={"object_id": "tsk_2"}).json()["items"][0]["after"] == {"n": 2}
    assert client.get("/audit", params={"limit": 0}).status_code == 422
    assert client.post("/audit:verify").json() == {
        "ok": True, "entries": 7, "first_bad": None, "reason": "All 7 entries hold, 7 of them under a signed head.",
        "anchored": 7,
    }  # fmt: skip
