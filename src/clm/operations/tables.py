from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Operation(Base):
    """Something long that a person asked for and that is no update. `state`: queued | running | done | failed."""

    __tablename__ = "operations"

    id: Mapped[str] = mapped_column(primary_key=True)  # opn_…
    kind: Mapped[str]
    subject: Mapped[str]  # what it is about, such as a model's name
    request: Mapped[dict[str, Any]]
    asked_by: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    progress: Mapped[str | None]  # what is being done now
    outcome: Mapped[str | None]  # a sentence, once it has ended
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
