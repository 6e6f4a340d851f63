"""The outbox: an event is published if and only if the change it tells of was committed.

Events carry ids and a revision only; whoever hears one reads the object through the normal door.

Ids are in the order of the commits, so who has read up to an id has missed none before it. SQLite has one writer at a
time. PostgreSQL draws an id when a row is inserted, and may commit the transaction that drew 5 after the one that drew
6 was read; so events are inserted as the last thing before the commit, under an advisory lock that the commit lets go.
Being the last lock, it is part of no deadlock, and one transaction waits for another's commit alone. (To pass only rows
below `pg_snapshot_xmin` would not do: transactions begin in another order than they draw ids, a long one anywhere on
the server would hold all events up, and a restored database begins its transaction numbers anew.)
"""

from datetime import datetime

from sqlalchemy import delete, event, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from clm.core.clock import now
from clm.core.database import Base

_WAITING = "clm_events"  # of a session: what its transaction will publish
_POSTGRES_LOCK = 0x434C4D45  # "CLME"


class Event(Base):
    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    topic: Mapped[str] = mapped_column(index=True)  # update | deployment | release | batch | task | model | audit
    object_id: Mapped[str]
    revision: Mapped[int]
    at: Mapped[datetime]


def publish(session: Session, topic: str, object_id: str, revision: int = 0) -> None:
    """Adds an event to the caller's transaction; it gets its id at the commit."""
    waiting: list[Event] = session.info.setdefault(_WAITING, [])
    waiting.append(Event(topic=topic, object_id=object_id, revision=revision, at=now()))


def after(session: Session, last_id: int, limit: int = 500) -> list[Event]:
    """Events newer than `last_id`, oldest first."""
    return list(session.scalars(select(Event).where(Event.id > last_id).order_by(Event.id).limit(limit)))


def last_id(session: Session) -> int:
    return session.scalar(select(func.max(Event.id))) or 0


def is_gap(session: Session, last_id: int) -> bool:
    """Whether events after this one are no longer kept, or it is none of this database's."""
    oldest, newest = session.execute(select(func.min(Event.id), func.max(Event.id))).one()
    return not (oldest or 1) - 1 <= last_id <= (newest or 0)


def prune(session: Session, before: datetime, keep: int) -> int:
    """Drops events from before a moment, but none of the newest `keep`. Returns how many."""
    old = select(func.max(Event.id)).where(Event.at < before, Event.id <= last_id(session) - keep).scalar_subquery()
    return len(session.execute(delete(Event).where(Event.id <= old).returning(Event.id)).all())


@event.listens_for(Session, "before_commit")
def _insert(session: Session) -> None:
    if session.in_nested_transaction():
        return
    waiting: list[Event] = session.info.pop(_WAITING, [])
    if not waiting:
        return
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    session.add_all(waiting)
