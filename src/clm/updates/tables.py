from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Update(Base):
    """One run of the cycle. `state`: queued | running | succeeded | rejected | inconclusive | rolled-back | failed |
    cancelling | cancelled."""

    __tablename__ = "updates"

    id: Mapped[str] = mapped_column(primary_key=True)  # upd_…, also the workflow's id
    model: Mapped[str] = mapped_column(index=True)
    task: Mapped[str]
    kind: Mapped[str] = mapped_column(default="learn")  # "learn" | "consolidate": one expert of the parts | "remove"
    state: Mapped[str] = mapped_column(index=True)
    stage: Mapped[str | None]
    trigger: Mapped[str]  # "volume" | "person"
    trigger_reason: Mapped[str]
    policy: Mapped[dict[str, Any]]  # the model's policy when the update was made
    champion: Mapped[str | None]  # release that it is compared with
    slice: Mapped[int | None]  # of the task's suite that its snapshot closed
    release_id: Mapped[str | None]
    rollout_id: Mapped[str | None]
    verdict: Mapped[dict[str, Any] | None]  # records.GateVerdict
    tries: Mapped[list[Any] | None]  # records.RepairTry, in order
    outcome: Mapped[str | None]  # a sentence
    progress: Mapped[dict[str, Any] | None]  # {stage, step, steps, tokens_per_second, eta_seconds, loss, at}
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Stage(Base):
    """One stage of one update. `state`: running | done | failed | skipped; `detail` is what it made, for people."""

    __tablename__ = "update_stages"
    __table_args__ = (UniqueConstraint("update_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    update_id: Mapped[str] = mapped_column(index=True)
    position: Mapped[int]
    name: Mapped[str]  # snapshot | mixture | train | evaluate | gate | repair | release | rollout
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=1)
    detail: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
