from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
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


class Lesson(Base):
    """What one training of an expert learned from; releases that carry the expert over share it."""

    __tablename__ = "lessons"

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)  # SHA-256 of the expert's lineage file


class LessonRecord(Base):
    """A training row of a lesson."""

    __tablename__ = "lesson_records"
    __table_args__ = {"sqlite_with_rowid": False}

    record_id: Mapped[str] = mapped_column(primary_key=True)
    lesson_id: Mapped[int] = mapped_column(ForeignKey("lessons.id"), primary_key=True)


class ReleaseExpert(Base):
    """An expert of a release. Its lesson is missing where it was registered before lessons were noted, until its bundle
    has been read."""

    __tablename__ = "release_experts"

    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), primary_key=True)
    expert: Mapped[str] = mapped_column(primary_key=True)
    lesson_hash: Mapped[str] = mapped_column(index=True)
