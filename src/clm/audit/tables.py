from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class AuditEntry(Base):
    """One change. `hash` covers every other column, `previous_hash` included: a chain."""

    __tablename__ = "audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 … without gaps
    at: Mapped[datetime]
    actor: Mapped[str]  # "cli:<user>" | "api" | "worker" | "gateway"
    action: Mapped[str] = mapped_column(index=True)  # "release.register", "deployment.rollback", …
    object_kind: Mapped[str]
    object_id: Mapped[str] = mapped_column(index=True)
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None]
    request_id: Mapped[str | None]
    previous_hash: Mapped[str]
    hash: Mapped[str]
