"""Whatever is done to the stored chain is found, at any place."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from clm.audit import service
from clm.audit.chain import GENESIS, Link, digest, fault
from clm.audit.heads import anchor
from clm.audit.tables import AuditEntry
from clm.core.caller import Caller
from clm.core.database import Database
from clm.settings import Paths

ENTRIES = 30
CALLER = Caller("cli:ada", request_id="req_1", reason="because")
TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'"


def write(database: Database, count: int = ENTRIES) -> None:
    with database.transaction() as session:
        for n in range(count):
            service.append(session, CALLER, "task.add", "task", f"tsk_{n}", before=None, after={"n": n, "p": (0.1, n)})


def drop_triggers(session: Session) -> None:
    for name in list(session.scalars(text(TRIGGERS))):
        session.execute(text(f"DROP TRIGGER {name}"))


@pytest.fixture(autouse=True)
def entries(database: Database) -> None:
    write(database)


def verify(database: Database, paths: Paths | None = None) -> service.Verification:
    with database.read() as session:
        return service.verify(session, paths)


def test_the_hash_of_an_entry_is_pinned() -> None:
    """Another formula would make every chain that exists invalid."""
    at = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    link = Link(1, at, "api", "model.create", "model", "m", None, {"b": 1, "a": "ä"}, None, "req_1", GENESIS)
    assert GENESIS == "88febe0daa57a0ef4ac701e3c5f77763457363183efe7132e883dca61298e9c4"
    assert digest(link) == "aa33b98fb0272cdfe12881acfdfaae9c13109ef98c0061950783eeb2d1009b53"
    assert fault(link, digest(link), 1, GENESIS) is None


def test_a_whole_chain_holds_and_its_numbers_have_no_gap(database: Database) -> None:
    write(database, 5)
    with database.read() as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.sequence).all()
    assert [e.sequence for e in entries] == list(range(1, ENTRIES + 6))
    assert entries[3].after == {"n": 3, "p": [0.1, 3]}
    result = verify(database)
    assert (result.ok, result.entries, result.first_bad) == (True, ENTRIES + 5, None)


COLUMNS = {
    "actor": "'cli:eve'", "action": "'x.y'", "object_kind": "'k'", "object_id": "'o'", "reason": "'other'",
    "request_id": "NULL", "after": "'{\"n\": 999}'", "before": "'{}'", "at": "'2020-01-01 00:00:00.000000'",
    "hash": "'00'", "previous_hash": "'00'",
}  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_field_is_found_where_it_is(database: Database, column: str) -> None:
    place = random.Random(column).randint(1, ENTRIES)
    with database.transaction() as session:
        drop_triggers(session)
        session.execute(text(f"UPDATE audit SET {column} = {COLUMNS[column]} WHERE sequence = {place}"))
    result = verify(database)
    assert not result.ok
    assert result.first_bad == place
    assert result.entries == place - 1
    assert str(place) in result.reason


def remove(session: Session, place: int) -> None:
    session.execute(text(f"DELETE FROM audit WHERE sequence = {place}"))


def remove_and_renumber(session: Session, place: int) -> None:
    remove(session, place)
    for n in range(place + 1, ENTRIES + 1):
        session.execute(text(f"UPDATE audit SET sequence = {n - 1} WHERE sequence = {n}"))


def swap(session: Session, place: int) -> None:
    session.execute(text(f"UPDATE audit SET sequence = 0 WHERE sequence = {place}"))
    session.execute(text(f"UPDATE audit SET sequence = {place} WHERE sequence = {place + 1}"))
    session.execute(text(f"UPDATE audit SET sequence = {place + 1} WHERE sequence = 0"))


def insert(session: Session, place: int) -> None:
    for n in range(ENTRIES, place - 1, -1):
        session.execute(text(f"UPDATE audit SET sequence = {n + 1} WHERE sequence = {n}"))
    session.execute(text(
        f"INSERT INTO audit SELECT {place}, at, actor, action, object_kind, object_id, before, after, reason, "
        f"request_id, previous_hash, hash FROM audit WHERE sequence = {place + 1}"
    ))  # fmt: skip


def rehash(session: Session, place: int) -> None:
    """Changes an entry and gives it a fitting hash: the next one no longer follows."""
    entry = session.get_one(AuditEntry, place)
    fields: dict[str, Any] = {name: getattr(entry, name) for name in Link.__dataclass_fields__}
    fields["actor"] = "cli:eve"
    new_hash = digest(Link(**fields))
    session.execute(text(f"UPDATE audit SET actor = 'cli:eve', hash = '{new_hash}' WHERE sequence = {place}"))


@pytest.mark.parametrize("attack", [remove, remove_and_renumber, swap, insert, rehash])
def test_attacks_on_the_order_are_found(database: Database, attack: Callable[[Session, int], None]) -> None:
    for place in random.Random(attack.__name__).sample(range(1, ENTRIES - 1), 5):
        with database.transaction() as session:
            drop_triggers(session)
            attack(session, place)
            session.flush()
            result = service.verify(session)
            session.rollback()  # the next place starts from the whole chain
        assert not result.ok, place
        assert result.first_bad in (place, place + 1)
    assert verify(database).ok


def test_a_cut_off_end_is_found_by_the_signed_head_only(database: Database, paths: Paths) -> None:
    head = anchor(database, paths)
    assert head is not None
    assert head.sequence == ENTRIES
    with database.transaction() as session:
        drop_triggers(session)
        session.execute(text(f"DELETE FROM audit WHERE sequence > {ENTRIES - 3}"))
    assert verify(database).ok
    result = verify(database, paths)
    assert not result.ok
    assert result.first_bad == ENTRIES - 2
    assert "cut off" in result.reason


def test_a_chain_written_anew_is_found_by_the_signed_head_only(database: Database, paths: Paths) -> None:
    anchor(database, paths)
    with database.transaction() as session:
        drop_triggers(session)
        session.execute(text(f"DELETE FROM audit WHERE sequence > {ENTRIES - 3}"))
    write(database, 10)
    assert verify(database).ok
    result = verify(database, paths)
    assert not result.ok
    assert result.first_bad == ENTRIES
    assert "written anew" in result.reason


def test_an_emptied_table_is_found(database: Database, paths: Paths) -> None:
    anchor(database, paths)
    with database.transaction() as session:
        drop_triggers(session)
        session.execute(text("DELETE FROM audit"))
    assert not verify(database, paths).ok


def test_a_gap_is_named_even_where_the_hashes_fit() -> None:
    link = Link(7, datetime(2026, 1, 2, tzinfo=UTC), "api", "a.b", "k", "o", None, None, None, None, GENESIS)
    assert fault(link, digest(link), 6, GENESIS) == "Entry 6 is missing: entry 7 stands in its place."
