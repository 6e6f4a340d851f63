from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Score(Base):
    """One cell of the ledger: a task's score under one release (or rejected candidate), on one suite version, or on one
    of its slices."""

    __tablename__ = "scores"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    model: Mapped[str] = mapped_column(index=True)
    task: Mapped[str] = mapped_column(index=True)
    update_id: Mapped[str | None] = mapped_column(index=True)  # None: the first release, scored outside an update
    release_id: Mapped[str | None] = mapped_column(index=True)  # None: the candidate was rejected
    suite_hash: Mapped[str]
    metric: Mapped[str]
    score: Mapped[float]
    n: Mapped[int]
    misrouted: Mapped[int]
    created_at: Mapped[datetime]
    slice: Mapped[int | None]  # None: the whole suite, without taught prompts
    kind: Mapped[str | None]  # of the slice: records.SliceKind
    is_new: Mapped[bool] = mapped_column(default=False)  # the champion was not examined on this slice before
    stale: Mapped[int] = mapped_column(default=0)  # answers that were superseded
