"""The stream of events: resumed without a gap, or with the word that there is one."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest
from fastapi import Request

from clm.core import events, stream
from clm.core.clock import now
from clm.core.database import Database


class Client:
    """Asks, and leaves after some looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    async def is_disconnected(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "POLL_SECONDS", 0.01)


def heard(database: Database, last: int | None, topics: str = "") -> list[str]:
    async def listen() -> list[str]:
        answer = await stream.stream(cast(Request, Client(2)), database, topics, last)
        return [str(cast(Any, part)) async for part in answer.body_iterator]

    return asyncio.run(listen())


def publish(database: Database, *names: str) -> None:
    for name in names:
        with database.transaction() as session:
            events.publish(session, "task", name)


def ids(parts: list[str]) -> list[int]:
    return [int(part.split("\n")[0].removeprefix("id: ")) for part in parts if part.startswith("id: ")]


def test_who_comes_new_hears_what_happens_from_then_on(either: Database) -> None:
    publish(either, "a")
    assert heard(either, None) == [": connected\n\n"]


def test_who_comes_back_hears_what_was_missed(either: Database) -> None:
    publish(either, "a", "b", "c")
    parts = heard(either, 1)
    assert parts[0] == ": connected\n\n"
    assert ids(parts) == [2, 3]
    assert heard(either, 3) == [": connected\n\n"]


def test_who_comes_back_too_late_is_told_to_read_everything_anew(either: Database) -> None:
    publish(either, "a", "b", "c", "d")
    with either.transaction() as session:
        events.prune(session, now() + timedelta(days=1), keep=2)
    assert ids(heard(either, 2)) == [3, 4]
    assert heard(either, 1, topics="update") == ["id: 4\nevent: reset\ndata: {}\n\n"]


@pytest.mark.parametrize("last", [5, 10**30, -1])
def test_an_id_of_another_database_is_a_gap_too(either: Database, last: int) -> None:
    publish(either, "a")
    assert heard(either, last) == ["id: 1\nevent: reset\ndata: {}\n\n"]
