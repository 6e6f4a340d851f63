"""SQL of the updates."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.updates.tables import Stage, Update


def queued(session: Session, model: str, task: str) -> Update | None:
    return session.scalar(select(Update).where(Update.model == model, Update.task == task, Update.state == "queued"))


def list_updates(
    session: Session, *, model: str | None = None, state: str | None = None, before: str | None = None, limit: int = 50
) -> list[Update]:
    """Newest first; `before` is the id where the page before ended."""
    query = select(Update).order_by(Update.id.desc()).limit(limit)
    if model:
        query = query.where(Update.model == model)
    if state:
        query = query.where(Update.state == state)
    if before:
        query = query.where(Update.id < before)
    return list(session.scalars(query))


def in_states(session: Session, model: str, states: Collection[str]) -> list[Update]:
    """Oldest first."""
    query = select(Update).where(Update.model == model, Update.state.in_(states)).order_by(Update.id)
    return list(session.scalars(query))


def newest(session: Session, model: str, task: str) -> Update | None:
    mine = select(Update).where(Update.model == model, Update.task == task)
    return session.scalar(mine.order_by(Update.created_at.desc(), Update.id.desc()).limit(1))


def has_seen(session: Session, model: str, task: str, kind: str, champion: str) -> bool:
    """Whether an update of this kind saw this champion, whatever became of it."""
    query = select(Update.id).where(
        Update.model == model, Update.task == task, Update.kind == kind, Update.champion == champion
    )
    return session.scalar(query.limit(1)) is not None


def stages_of(session: Session, update_id: str) -> Sequence[Stage]:
    """In the cycle's order."""
    return session.scalars(select(Stage).where(Stage.update_id == update_id).order_by(Stage.position)).all()


def ended_before(session: Session, moment: datetime) -> list[str]:
    """Ids of updates that had ended by then."""
    return list(session.scalars(select(Update.id).where(Update.finished_at < moment)))
