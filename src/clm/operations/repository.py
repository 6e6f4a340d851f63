"""SQL of the operations."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.operations.tables import Operation


def get(session: Session, operation_id: str) -> Operation | None:
    return session.get(Operation, operation_id)


def newest(session: Session, *, before: str | None = None, limit: int = 50) -> list[Operation]:
    """Newest first; `before` is the id where the page before ended."""
    query = select(Operation).order_by(Operation.id.desc()).limit(limit)
    return list(session.scalars(query.where(Operation.id < before) if before else query))


def in_states(session: Session, states: Collection[str]) -> list[Operation]:
    """Oldest first."""
    return list(session.scalars(select(Operation).where(Operation.state.in_(states)).order_by(Operation.id)))
