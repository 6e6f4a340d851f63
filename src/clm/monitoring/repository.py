"""What was seen of each release: one row a request, one row a feedback, and what they come to."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Executable, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from clm.monitoring import traffic
from clm.monitoring.tables import Answer, Feedback, TrafficCount
from clm.monitoring.traffic import Counted
from clm.records import TrafficWindow

_DAY = max(traffic.SPANS)
_KEY = ("release_id", "span", "slot", "bucket", "pinned")


def add_answers(session: Session, rows: Iterable[Answer]) -> None:
    """Again changes nothing: who lost the connection at the commit can't know whether it came through."""
    answers = {answer.id: answer for answer in rows}
    known = set(session.scalars(select(Answer.id).where(Answer.id.in_(list(answers)))))
    new = [answer for answer_id, answer in answers.items() if answer_id not in known]
    session.add_all(new)
    _count(session, [(answer, traffic.count(answer.status, answer.error)) for answer in new])


def get_answer(session: Session, record_id: str, for_update: bool = False) -> Answer | None:
    return session.get(Answer, record_id, with_for_update=for_update or None)


def feedback_on(session: Session, record_id: str) -> Feedback | None:
    return session.scalar(select(Feedback).where(Feedback.answer_id == record_id))


def count_feedback(session: Session, answer: Answer, score: float, replaced: float | None) -> None:
    points = traffic.points_of(score)
    change = Counted(0, 0, 1, points) if replaced is None else Counted(points=points - traffic.points_of(replaced))
    _count(session, [(answer, change)])


def window(session: Session, release_id: str, since: datetime, pinned: bool = False) -> TrafficWindow:
    """What was seen of a release since a moment. Requests that named the release themselves count only if `pinned`.

    Counts are exact, the p95 latency is within 2.5 %, see clm.monitoring.traffic. A request whose client left is none,
    though its feedback counts.
    """
    edge, slots = traffic.slots_since(since)
    buckets: defaultdict[int, Counted] = defaultdict(Counted)
    numbers = (TrafficCount.requests, TrafficCount.errors, TrafficCount.feedback, TrafficCount.points)
    for span, first, end in slots:
        chosen: list[ColumnElement[bool]] = [
            TrafficCount.release_id == release_id, TrafficCount.span == span, TrafficCount.slot >= first
        ]  # fmt: skip
        chosen += [TrafficCount.slot < end] if end is not None else []
        chosen += [] if pinned else [TrafficCount.pinned.is_(False)]
        sums = select(TrafficCount.bucket, *map(func.sum, numbers)).where(*chosen).group_by(TrafficCount.bucket)
        for bucket, *counted in session.execute(sums):
            buckets[bucket] = buckets[bucket].plus(Counted(*map(int, counted)))
    for bucket, counted in _before(session, release_id, since, edge, pinned):
        buckets[bucket] = buckets[bucket].plus(counted)
    return traffic.window_of(buckets)


def prune_detail(session: Session, before: datetime) -> None:
    """Drops minutes and hours of before that moment, which windows that begin later need none of. Days stay."""
    ended = TrafficCount.slot < int(before.timestamp()) / TrafficCount.span - 1
    session.execute(delete(TrafficCount).where(TrafficCount.span < _DAY, ended))


def _before(
    session: Session, release_id: str, since: datetime, edge: datetime, pinned: bool
) -> Iterable[tuple[int, Counted]]:
    """Bucket and count of each answer of the first part of a minute."""
    chosen = [Answer.release_id == release_id, Answer.at >= since, Answer.at < edge]
    chosen += [] if pinned else [Answer.pinned.is_(False)]
    read = select(Answer.latency_ms, Answer.status, Answer.error, Feedback.score).outerjoin(Feedback).where(*chosen)
    for latency_ms, status, error, score in session.execute(read):
        yield traffic.bucket_of(latency_ms), traffic.count(status, error, score)


def _count(session: Session, changes: Iterable[tuple[Answer, Counted]]) -> None:
    """Adds to the minute, hour and day of each answer. In one order, so that two gateways never wait for each other."""
    sums: defaultdict[tuple[str, int, int, int, bool], Counted] = defaultdict(Counted)
    for answer, change in changes:
        for span, slot in traffic.slots_of(answer.at):
            at = (answer.release_id, span, slot, traffic.bucket_of(answer.latency_ms), answer.pinned)
            sums[at] = sums[at].plus(change)
    rows = [dict(zip(_KEY, at, strict=True)) | change._asdict() for at, change in sorted(sums.items()) if any(change)]
    if rows:
        session.connection().execute(_adding(session.get_bind().dialect.name), rows)


@cache
def _adding(dialect: str) -> Executable:
    """Adds to what is there; made once, as it takes longer than to run it."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    adding = insert(TrafficCount)
    there = TrafficCount.__table__.columns
    more = {name: there[name] + adding.excluded[name] for name in Counted._fields}
    return adding.on_conflict_do_update(index_elements=_KEY, set_=more)
