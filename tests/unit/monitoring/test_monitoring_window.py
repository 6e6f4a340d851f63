"""Traffic windows: counts, nearest-rank p95, pinned requests apart, feedback that replaces."""

import math
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from clm.core.clock import now
from clm.core.database import Database, sqlite_url
from clm.core.ids import new_id
from clm.errors import InvalidInput, NotFound
from clm.monitoring.repository import window
from clm.monitoring.service import add_answers, add_feedback
from clm.monitoring.tables import Answer
from clm.records import TrafficWindow


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    database = Database(sqlite_url(tmp_path / "clm.db"))
    database.migrate()
    yield database
    database.close()


def answer(
    release: str = "a", latency: float = 10, error: str | None = None, pinned: bool = False, at: datetime | None = None
) -> Answer:
    return Answer(
        id=new_id("ans"), model="support", release_id=release, expert="intent", conversation="c",
        status=502 if error else 200, error=error, latency_ms=latency, prompt_tokens=5, completion_tokens=3,
        pinned=pinned, at=at or now(),
    )  # fmt: skip


def seen(database: Database, release: str = "a", since: datetime | None = None, pinned: bool = False) -> TrafficWindow:
    with database.read() as session:
        return window(session, release, since or now() - timedelta(hours=1), pinned)


def test_no_request_is_no_data(database: Database) -> None:
    assert seen(database) == TrafficWindow(0, 0, None, 0, None)


def test_counts_errors_and_p95(database: Database) -> None:
    start = now()
    with database.transaction() as session:
        add_answers(session, [answer(latency=float(n)) for n in range(1, 101)])
        add_answers(session, [answer("b", 7.0, error="engine said no"), answer("b", 5.0)])
        add_answers(session, [answer(at=start - timedelta(hours=2)), answer(pinned=True, latency=999)])
    assert seen(database) == TrafficWindow(100, 0, 95.0, 0, None)
    assert seen(database, "b") == TrafficWindow(2, 1, 7.0, 0, None)
    assert seen(database, since=start - timedelta(hours=3)).requests == 101
    assert seen(database, pinned=True).requests == 101


def test_feedback_counts_once_per_answer(database: Database) -> None:
    good, bad, elsewhere = answer(), answer(), answer("b")
    with database.transaction() as session:
        add_answers(session, [good, bad, elsewhere])
    for record, score in ((good.id, 0.0), (good.id, 1.0), (bad.id, 0.5), (elsewhere.id, 0.1)):
        with database.transaction() as session:
            add_feedback(session, record, score, "as expected")
    assert seen(database) == TrafficWindow(2, 0, 10.0, 2, 0.75)


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan, math.inf])
def test_scores_out_of_bounds_are_refused(database: Database, score: float) -> None:
    with database.transaction() as session, pytest.raises(InvalidInput, match="between 0"):
        add_feedback(session, "ans_1", score)


def test_feedback_needs_an_answer(database: Database) -> None:
    with database.transaction() as session, pytest.raises(NotFound, match="There is no answer 'ans_1'"):
        add_feedback(session, "ans_1", 0.5)
