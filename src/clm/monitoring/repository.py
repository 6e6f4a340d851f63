"""What was seen of each release: one row a request, one row a feedback."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from clm.monitoring.tables import Answer, Feedback
from clm.records import TrafficWindow


def add_answers(session: Session, rows: Iterable[Answer]) -> None:
    session.add_all(rows)


def get_answer(session: Session, record_id: str) -> Answer | None:
    return session.get(Answer, record_id)


def feedback_on(session: Session, record_id: str) -> Feedback | None:
    return session.scalar(select(Feedback).where(Feedback.answer_id == record_id))


def window(session: Session, release_id: str, since: datetime, pinned: bool = False) -> TrafficWindow:
    """What was seen of a release since a moment. Requests that named the release themselves count only if `pinned`.

    The p95 latency in milliseconds is by nearest rank: the smallest that 95 % of the requests did not exceed.
    """
    chosen: list[ColumnElement[bool]] = [Answer.release_id == release_id, Answer.at >= since]
    if not pinned:
        chosen.append(Answer.pinned.is_(False))
    requests, errors = session.execute(select(func.count(), func.count(Answer.error)).where(*chosen)).one()
    p95: float | None = None
    if requests:
        rank = -(-95 * requests // 100)  # ceiling, 1-based
        ordered = select(Answer.latency_ms).where(*chosen).order_by(Answer.latency_ms)
        p95 = session.scalar(ordered.offset(rank - 1).limit(1))
    scored = select(func.count(), func.avg(Feedback.score)).join(Answer, Answer.id == Feedback.answer_id).where(*chosen)
    count, mean = session.execute(scored).one()
    return TrafficWindow(requests, errors, p95, count, mean)
