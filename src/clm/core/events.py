"""The outbox: an event is published if and only if the change it tells of was committed.

Events carry ids and a revision only; whoever hears one reads the object through the normal door.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from clm.core.clock import now
from clm.core.database import Base


class Event(Base):
    __tablename__ = "events"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    topic: Mapped[str] = mapped_column(index=True)  # update | deployment | release | batch | task | model | audit
    object_id: Mapped[str]
    revision: Mapped[int]
    at: Mapped[datetime]


def publish(session: Session, topic: str, object_id: str, revision: int = 0) -> None:
    """Adds an event to the caller's transaction."""
    session.add(Event(topic=topic, object_id=object_id, revision=revision, at=now()))


def after(session: Session, last_id: int, limit: int = 500) -> list[Event]:
    """Events newer than `last_id`, oldest first."""
    return list(session.scalars(select(Event).where(Event.id > last_id).order_by(Event.id).limit(limit)))


def last_id(session: Session) -> int:
    return session.scalar(select(Event.id).order_by(Event.id.desc()).limit(1)) or 0
