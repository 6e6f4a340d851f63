from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class ReleaseRow(Base):
    """A registered release. Never edited but for `mlflow_version`."""

    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("model", "number"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 of the manifest
    model: Mapped[str] = mapped_column(index=True)
    number: Mapped[int]
    parent: Mapped[str | None]
    update_id: Mapped[str | None] = mapped_column(index=True)
    path: Mapped[str]  # relative to the home
    manifest: Mapped[dict[str, Any]]
    mlflow_version: Mapped[str | None]
    created_at: Mapped[datetime]
