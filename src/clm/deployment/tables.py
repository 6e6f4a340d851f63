from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Deployment(Base):
    """Which release serves a model: one row per model, so there is never more than one champion."""

    __tablename__ = "deployments"

    model: Mapped[str] = mapped_column(primary_key=True)
    champion: Mapped[str]
    previous: Mapped[str | None]  # the champion before; kept warm, `clm rollback` goes there
    candidate: Mapped[str | None]  # release on its way in
    candidate_share: Mapped[float] = mapped_column(default=0.0)  # percent of requests, 0 … 100
    rollout_id: Mapped[str | None]  # the rollout under way
    revision: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime]


class RolloutRow(Base):
    """One move of traffic. `state` and `step` are clm.deployment.rollout's; `verdicts` has one entry a verdict."""

    __tablename__ = "rollouts"

    id: Mapped[str] = mapped_column(primary_key=True)  # rol_…
    model: Mapped[str] = mapped_column(index=True)
    release_id: Mapped[str]
    baseline: Mapped[str]
    update_id: Mapped[str | None]
    kind: Mapped[str]
    policy: Mapped[dict[str, Any]]
    state: Mapped[str]
    step: Mapped[int] = mapped_column(default=0)
    step_started_at: Mapped[datetime]
    verdicts: Mapped[list[Any]] = mapped_column(default=list)
    reason: Mapped[str | None]
    rollback_ms: Mapped[float | None]
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
