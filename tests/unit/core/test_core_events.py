"""The outbox: in the order of the commits, with the change or not at all, and pruned from its old end."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event as Flag
from threading import Thread

import pytest
from sqlalchemy.event import listen

from clm.core import events
from clm.core.clock import now
from clm.core.database import Database


def said(database: Database, after: int = 0) -> list[tuple[int, str]]:
    with database.read() as session:
        return [(event.id, event.object_id) for event in events.after(session, after)]


def publish(database: Database, *names: str) -> None:
    for name in names:
        with database.transaction() as session:
            events.publish(session, "task", name)


def test_an_event_is_there_if_and_only_if_its_change_is(either: Database) -> None:
    publish(either, "kept")
    with pytest.raises(RuntimeError), either.transaction() as session:
        events.publish(session, "task", "dropped")
        raise RuntimeError
    with either.transaction() as session, session.begin_nested():
        events.publish(session, "task", "nested")
    assert [name for _, name in said(either)] == ["kept", "nested"]


@pytest.mark.parametrize("holds_up", ["before_commit", "after_flush_postexec"])
def test_who_has_read_a_later_event_has_missed_no_earlier_one(either: Database, holds_up: str) -> None:
    """The first to publish is the last to commit, held up before its event gets an id or after that. What a reader saw
    at any time is a beginning of what there is."""
    is_held_up, go_on = Flag(), Flag()

    def wait(*_: object) -> None:
        is_held_up.set()
        go_on.wait(10)

    def slow() -> None:
        with either.transaction() as session:
            events.publish(session, "task", "slow")
            listen(session, holds_up, wait, insert=True)

    threads = [Thread(target=slow), Thread(target=publish, args=(either, "quick"))]
    threads[0].start()
    assert is_held_up.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    seen = said(either)
    go_on.set()
    for thread in threads:
        thread.join()
    seen += said(either, seen[-1][0] if seen else 0)
    assert seen == said(either)
    assert {name for _, name in seen} == {"slow", "quick"}


def test_many_writers_and_a_reader_that_misses_nothing(either: Database) -> None:
    def write(name: str) -> None:
        publish(either, *(f"{name}{n}" for n in range(25)))

    writers = [Thread(target=write, args=(name,)) for name in "abcd"]
    for writer in writers:
        writer.start()
    seen: list[tuple[int, str]] = []
    while any(writer.is_alive() for writer in writers):
        seen += said(either, seen[-1][0] if seen else 0)
    seen += said(either, seen[-1][0] if seen else 0)
    assert len(seen) == 100
    assert seen == said(either)


def test_only_what_is_old_is_dropped_and_never_the_newest(either: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def days_ago(days: int) -> Callable[[], object]:
        return lambda: now() - timedelta(days=days)

    for days, names in ((9, "abcd"), (1, "ef")):
        monkeypatch.setattr(events, "now", days_ago(days))
        publish(either, *names)

    def prune(keep: int) -> int:
        with either.transaction() as session:
            return events.prune(session, now() - timedelta(days=7), keep)

    assert prune(keep=4) == 2
    assert [name for _, name in said(either)] == ["c", "d", "e", "f"]
    assert prune(keep=4) == 0
    assert prune(keep=0) == 2
    assert [name for _, name in said(either)] == ["e", "f"]
    newest = said(either)[-1][0]
    with either.read() as session:
        gaps = [events.is_gap(session, newest - back) for back in (-1, 0, 1, 2, 3)]
    assert gaps == [True, False, False, False, True]


def test_an_empty_outbox_has_no_gap(either: Database) -> None:
    with either.read() as session:
        assert (events.is_gap(session, 0), events.is_gap(session, 1)) == (False, True)
