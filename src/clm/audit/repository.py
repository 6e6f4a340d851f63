"""Reads the audit table. There is nothing here that changes an entry, and there must never be."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from clm.audit.tables import AuditEntry

_BATCH = 2_000  # rows fetched at once while the whole chain is read
_COLUMNS = AuditEntry.__table__.columns


def newest(session: Session) -> Row[int, str] | None:
    """Sequence and hash of the last entry; None: there is none."""
    statement = select(AuditEntry.sequence, AuditEntry.hash).order_by(AuditEntry.sequence.desc()).limit(1)
    return session.execute(statement).first()


def hash_at(session: Session, sequence: int) -> str | None:
    return session.scalar(select(AuditEntry.hash).where(AuditEntry.sequence == sequence))


def chain(session: Session) -> Iterator[dict[str, Any]]:
    """Every entry's fields, in order, without holding all of them in memory."""
    statement = select(*_COLUMNS).order_by(AuditEntry.sequence).execution_options(yield_per=_BATCH)
    for row in session.execute(statement).mappings():
        yield dict(row)


def page(
    session: Session, *, before: int | None, limit: int, object_id: str | None = None, action: str | None = None
) -> list[AuditEntry]:
    """At most `limit` entries older than sequence `before`, newest first."""
    statement = select(AuditEntry).order_by(AuditEntry.sequence.desc()).limit(limit)
    if before is not None:
        statement = statement.where(AuditEntry.sequence < before)
    if object_id is not None:
        statement = statement.where(AuditEntry.object_id == object_id)
    if action is not None:
        statement = statement.where(AuditEntry.action == action)
    return list(session.scalars(statement))
