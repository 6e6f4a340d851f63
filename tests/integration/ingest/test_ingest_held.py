"""Batches of a rejected update are held: out of updates and the volume, until somebody decides."""

import json
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from ingest_room import CALLER, Room
from sqlalchemy.orm import Session
from typer.testing import CliRunner, Result

from clm.audit import service as audit
from clm.cli import memory as commands
from clm.cli.context import Context
from clm.errors import Conflict, NotFound
from clm.ingest import holding, repository
from clm.ingest.tables import HeldBatch


def take(room: Room, *prompts: str) -> str:
    body = "".join(json.dumps({"prompt": p, "completion": "yes"}) + "\n" for p in prompts)
    return room.ingest(body.encode()).batch_id


def hold(session: Session, update: str, batches: dict[str, int]) -> list[HeldBatch]:
    return holding.hold(
        session, CALLER, update_id=update, model="m", task="intent", batches=batches, reason="facts got worse"
    )


@contextmanager
def entries_added(room: Room) -> Generator[list[str]]:
    """The actions that were written to the audit meanwhile; the chain must hold."""
    actions: list[str] = []
    with room.database.read() as session:
        before = audit.verify(session).entries
    yield actions
    with room.database.read() as session:
        assert audit.verify(session).ok
        newest = audit.repository.page(session, before=None, limit=50)
        actions += [entry.action for entry in reversed(newest) if entry.sequence > before]


def test_what_is_held_counts_for_nothing_until_it_is_released(room: Room) -> None:
    first, second = take(room, "a", "b"), take(room, "c")
    with entries_added(room) as actions, room.database.transaction() as session:
        assert len(hold(session, "upd_1", {first: 2})) == 1
        assert not hold(session, "upd_1", {first: 2, second: 1})  # again after a crash
    assert actions == ["batch.hold"]
    with room.database.read() as session:
        assert holding.left_out(session, "m") == {first}
        assert holding.left_out(session, "other") == frozenset()
        assert sum(repository.batches_since(session, "m", "intent", None).values()) == 1
        moment = repository.get_batch(session, second).finished_at
        assert sum(repository.batches_since(session, "m", "intent", moment).values()) == 0
    with entries_added(room) as actions, room.database.transaction() as session:
        holding.decide(session, CALLER, first, "released")
    assert actions == ["batch.release"]
    with room.database.read() as session:
        assert holding.left_out(session, "m") == frozenset()
        assert sum(repository.batches_since(session, "m", "intent", None).values()) == 3
        assert (
            sum(repository.batches_since(session, "m", "intent", moment).values()) == 2
        )  # as if it came when it was released


def test_nothing_discarded_is_lost_and_it_can_be_taken_back(room: Room) -> None:
    batch = take(room, "a", "b")
    with room.database.transaction() as session:
        hold(session, "upd_1", {batch: 2})
        holding.decide(session, CALLER, "upd_1", "discarded")
        assert holding.left_out(session, "m") == {batch}
        with pytest.raises(Conflict, match="upd_1 is discarded already"):
            holding.decide(session, CALLER, "upd_1", "discarded")
    assert room.store.counts("m") == {"intent": 2}
    with room.database.transaction() as session:
        holding.decide(session, CALLER, batch, "released")
        assert holding.left_out(session, "m") == frozenset()
        with pytest.raises(Conflict, match="is released already"):
            holding.decide(session, CALLER, batch, "discarded")
        hold(session, "upd_2", {batch: 2})  # tried again, rejected again
        assert holding.left_out(session, "m") == {batch}
        with pytest.raises(NotFound, match="Nothing is held under 'upd_9'"):
            holding.decide(session, CALLER, "upd_9", "released")


def test_a_rejection_that_does_not_happen_holds_nothing(room: Room) -> None:
    batch = take(room, "a")
    with entries_added(room) as actions, pytest.raises(RuntimeError), room.database.transaction() as session:
        hold(session, "upd_1", {batch: 1})
        raise RuntimeError("the transaction is dropped")
    assert actions == []
    with room.database.read() as session:
        assert holding.left_out(session, "m") == frozenset()


@pytest.fixture
def clm(room: Room, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(commands, "here", Context())

    def run(*words: str) -> Result:
        return CliRunner().invoke(commands.held, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})

    return run


def test_the_command_line_shows_and_decides(room: Room, clm) -> None:  # pyright: ignore
    assert "Nothing is held" in clm("list").output
    batch, other = take(room, "a", "b"), take(room, "c")
    with room.database.transaction() as session:
        hold(session, "upd_1", {batch: 2, other: 1})
    assert "facts got worse" in clm("list").output
    listed = json.loads(clm("list", "-o", "json").output)
    assert [(row["batch"], row["rows"], row["state"]) for row in listed] == [(batch, 2, "held"), (other, 1, "held")]

    with entries_added(room) as actions:
        said = clm("discard", "upd_1", "--dry-run").output
    assert said.splitlines() == [
        f"Would be discarded: {batch} (intent, 2 rows).", f"Would be discarded: {other} (intent, 1 rows)."
    ]  # fmt: skip
    assert actions == [] and len(json.loads(clm("list", "-o", "json").output)) == 2

    assert f"Is discarded: {batch}" in clm("discard", batch).output
    assert "clm update start intent" in clm("release", "upd_1").output
    assert "Nothing is held" in clm("list").output
    assert [row["state"] for row in json.loads(clm("list", "--all", "-o", "json").output)] == ["released", "released"]
    assert isinstance(clm("release", "bat_none").exception, NotFound)
