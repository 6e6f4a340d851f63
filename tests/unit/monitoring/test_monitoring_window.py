"""Traffic windows: counts, nearest-rank p95, pinned requests apart, feedback that replaces, clients that left."""

import math
import random
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import delete, text

from clm.core.clock import now
from clm.core.database import Database
from clm.core.ids import new_id
from clm.errors import ClientGone, InvalidInput, NotFound
from clm.migrations import upgrade
from clm.monitoring import traffic
from clm.monitoring.repository import prune_detail, window
from clm.monitoring.service import add_answers, add_feedback
from clm.monitoring.tables import Answer
from clm.records import TrafficWindow
from upgrading import take_back


@pytest.fixture
def database(either: Database) -> Database:
    return either


def answer(
    release: str = "a", latency: float = 10, error: str | None = None, pinned: bool = False, at: datetime | None = None,
    status: int | None = None,
) -> Answer:  # fmt: skip
    return Answer(
        id=new_id("ans"), model="support", release_id=release, expert="intent", conversation="c",
        status=status or (502 if error else 200), error=error, latency_ms=latency, prompt_tokens=5, completion_tokens=3,
        pinned=pinned, at=at or now(),
    )  # fmt: skip


def seen(database: Database, release: str = "a", since: datetime | None = None, pinned: bool = False) -> TrafficWindow:
    with database.read() as session:
        return window(session, release, since or now() - timedelta(hours=1), pinned)


def near(requests: int, errors: int, p95: float, feedback: int, mean: float | None) -> TrafficWindow:
    """Counts as they are; latency and feedback as near as is promised."""
    latency: Any = pytest.approx(p95, rel=0.025)
    score: Any = pytest.approx(mean, abs=1e-6)
    return TrafficWindow(requests, errors, latency, feedback, score)


def test_no_request_is_no_data(database: Database) -> None:
    assert seen(database) == TrafficWindow(0, 0, None, 0, None)


def test_counts_errors_and_p95(database: Database) -> None:
    start = now()
    with database.transaction() as session:
        add_answers(session, [answer(latency=float(n)) for n in range(1, 101)])
        add_answers(session, [answer("b", 7.0, error="engine said no"), answer("b", 5.0)])
        add_answers(session, [answer(at=start - timedelta(hours=2)), answer(pinned=True, latency=999)])
    assert seen(database) == near(100, 0, 95.0, 0, None)
    assert seen(database, "b") == near(2, 1, 7.0, 0, None)
    assert seen(database, since=start - timedelta(hours=3)).requests == 101
    assert seen(database, pinned=True).requests == 101


def test_feedback_counts_once_per_answer(database: Database) -> None:
    good, bad, elsewhere = answer(), answer(), answer("b")
    with database.transaction() as session:
        add_answers(session, [good, bad, elsewhere])
    for record, score in ((good.id, 0.0), (good.id, 1.0), (bad.id, 0.5), (elsewhere.id, 0.1)):
        with database.transaction() as session:
            add_feedback(session, record, score, "as expected")
    assert seen(database) == near(2, 0, 10.0, 2, 0.75)


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan, math.inf])
def test_scores_out_of_bounds_are_refused(database: Database, score: float) -> None:
    with database.transaction() as session, pytest.raises(InvalidInput, match="between 0"):
        add_feedback(session, "ans_1", score)


def test_feedback_needs_an_answer(database: Database) -> None:
    with database.transaction() as session, pytest.raises(NotFound, match="There is no answer 'ans_1'"):
        add_feedback(session, "ans_1", 0.5)


def test_a_request_whose_client_left_is_neither_good_nor_bad_nor_slow(database: Database) -> None:
    left = [answer(latency=60_000, status=ClientGone.status) for _ in range(5)]
    with database.transaction() as session:
        add_answers(session, [*left, answer(at=now() - timedelta(minutes=5))])
    assert seen(database) == near(1, 0, 10.0, 0, None)
    assert seen(database, since=now() - timedelta(seconds=5)) == TrafficWindow(0, 0, None, 0, None)
    with database.transaction() as session:
        add_feedback(session, left[0].id, 0.25)
    assert seen(database) == near(1, 0, 10.0, 1, 0.25)


def test_a_window_is_what_one_by_one_the_answers_come_to(database: Database) -> None:
    """From any moment on, across minutes, hours and days; with feedback that came and changed, and late answers."""
    luck, start = random.Random(5), now() - timedelta(days=3)
    answers = [
        answer(luck.choice("ab"), luck.lognormvariate(4, 2), luck.choice([None, None, "x"]), luck.random() < 0.2,
               start + timedelta(seconds=luck.random() * 3 * 86_400))
        for _ in range(1500)
    ]  # fmt: skip
    for first in range(0, len(answers), 100):
        with database.transaction() as session:
            add_answers(session, answers[first : first + 100])
    scores: dict[str, float] = {}
    for one in luck.choices(answers, k=150):
        scores[one.id] = round(luck.random(), 2)
        with database.transaction() as session:
            add_feedback(session, one.id, scores[one.id])
    moments = [start, *(start + timedelta(seconds=luck.random() * 3 * 86_400) for _ in range(30))]
    moments += [at.replace(minute=0, second=0, microsecond=0) for at in moments[:5]]
    moments += [one.at for one in answers[:5]]
    for since in moments:
        for release, pinned in (("a", False), ("b", True)):
            chosen = [one for one in answers if one.release_id == release and one.at >= since
                      and (pinned or not one.pinned)]  # fmt: skip
            told = [scores[one.id] for one in chosen if one.id in scores]
            p95 = sorted(one.latency_ms for one in chosen)[-(-95 * len(chosen) // 100) - 1]
            mean = sum(told) / len(told) if told else None
            expected = near(len(chosen), sum(one.error is not None for one in chosen), p95, len(told), mean)
            assert seen(database, release, since, pinned) == expected


@pytest.mark.parametrize("latency", [0.0, 0.3, 1.0, 1.0001, 249.0, 60_000.0, 1e9])
def test_every_latency_has_its_place(latency: float) -> None:
    assert traffic.latency_of(traffic.bucket_of(latency)) == pytest.approx(latency, rel=0.025, abs=1)


@pytest.mark.parametrize("latency", [1e12, math.inf, math.nan])
def test_what_is_no_latency_is_a_slow_one(latency: float) -> None:
    assert traffic.latency_of(traffic.bucket_of(latency)) > 9e8


def test_a_look_reads_no_answer_after_its_first_minute(database: Database) -> None:
    start = now().replace(second=30) - timedelta(hours=1)
    with database.transaction() as session:
        add_answers(session, [answer(at=start + timedelta(seconds=3 * k)) for k in range(1000)])
    before = seen(database, since=start)
    assert before == near(1000, 0, 10.0, 0, None)
    with database.transaction() as session:
        session.execute(delete(Answer).where(Answer.at >= start + timedelta(seconds=30)))
    assert seen(database, since=start) == before


def test_minutes_and_hours_that_no_window_begins_in_can_be_dropped(database: Database) -> None:
    start = now() - timedelta(days=5)
    with database.transaction() as session:
        add_answers(session, [answer(at=start + timedelta(minutes=7 * k)) for k in range(1000)])
    kept = start + timedelta(days=2, seconds=11)
    moments = [kept, kept + timedelta(minutes=3), kept + timedelta(hours=30), now() - timedelta(hours=1)]
    before = [seen(database, since=moment) for moment in moments]
    with database.transaction() as session:
        rows = session.scalar(text("SELECT count(*) FROM traffic")) or 0
        prune_detail(session, kept)
        assert 0.4 * rows < (session.scalar(text("SELECT count(*) FROM traffic")) or 0) < 0.7 * rows
    assert [seen(database, since=moment) for moment in moments] == before
    assert seen(database, since=start - timedelta(days=1)).requests == 1000


def test_answers_that_are_told_again_are_the_same_answers(database: Database) -> None:
    """The connection broke while they were committed; the gateway tells them again, with what has come since."""
    first, moment = ["ans_1", "ans_2"], now()
    for told in (first, [*first, "ans_3"]):
        rows = [answer(at=moment) for _ in told]
        for row, name in zip(rows, told, strict=True):
            row.id = name
        with database.transaction() as session:
            add_answers(session, rows)
    assert seen(database) == near(3, 0, 10.0, 0, None)


def test_two_gateways_at_once_lose_no_answer_and_no_feedback(database: Database) -> None:
    both = answer()
    with database.transaction() as session:
        add_answers(session, [both])
    start = now()

    def gateway(score: float) -> None:
        for k in range(20):
            with database.transaction() as session:
                add_answers(session, [answer(latency=float(1 + (k * 7 + j) % 50), at=start) for j in range(10)])
            with database.transaction() as session:
                add_feedback(session, both.id, score)

    threads = [Thread(target=gateway, args=(score,)) for score in (0.0, 1.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = seen(database)
    assert (found.requests, found.feedback_count) == (401, 1)
    assert found.feedback_mean in (0.0, 1.0)


def test_answers_from_before_the_counts_are_counted_by_the_upgrade(database: Database) -> None:
    start = now() - timedelta(days=2)
    with database.transaction() as session:
        add_answers(session, [answer("ab"[k % 2], 10.0 + k, at=start + timedelta(minutes=k)) for k in range(300)])
        add_answers(session, [answer(status=ClientGone.status), answer(pinned=True, error="x")])
    with database.transaction() as session:
        rated = session.scalars(text("SELECT id FROM answers WHERE status = 200")).all()[:3]
        for k, record in enumerate(rated):
            add_feedback(session, record, k / 4)
    moments = [start - timedelta(days=1), start + timedelta(minutes=7, seconds=3), now() - timedelta(minutes=1)]
    looks = [(release, since, pinned) for release in "ab" for since in moments for pinned in (False, True)]
    before = [seen(database, *look) for look in looks]
    take_back(database, "0012")
    upgrade(database)
    assert [seen(database, *look) for look in looks] == before
