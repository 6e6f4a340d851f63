"""Deployments as the API shows them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from clm.deployment.rollout import Action


class ActionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expected_revision: int | None = Field(default=None, description="the revision that was looked at")
    to: str | None = Field(default=None, min_length=4, max_length=64, description="rollback: release id or its start")
    reason: str | None = Field(default=None, max_length=500)


class AllowedAction(BaseModel):
    action: Action
    enabled: bool
    reason: str | None = Field(description="why it is not possible now")


class CheckView(BaseModel):
    name: str
    verdict: str = Field(description="pass | fail | no-data | inconclusive")
    observed: float | None
    limit: float
    n: int


class VerdictView(BaseModel):
    step: int
    at: datetime
    verdict: str = Field(description="promote | rollback | hold")
    reason: str
    checks: list[CheckView]


class RolloutView(BaseModel):
    id: str
    model: str
    release_id: str
    baseline: str
    update_id: str | None
    kind: str = Field(description="canary | blue-green | rollback")
    state: str = Field(description="waiting | running | paused | promoted | aborted | rolled-back")
    step: int = Field(description="index into steps")
    steps: list[float] = Field(description="shares in percent")
    step_started_at: datetime
    verdicts: list[VerdictView]
    allowed_actions: list[Action]
    reason: str | None
    rollback_ms: float | None
    revision: int
    created_at: datetime
    finished_at: datetime | None


class TrafficView(BaseModel):
    release_id: str
    share: float = Field(description="percent of the model's requests")
    requests: int
    errors: int
    latency_p95_ms: float | None
    feedback_mean: float | None
    feedback_count: int
    window_seconds: float


class DeploymentView(BaseModel):
    model: str
    champion: str
    previous: str | None
    candidate: str | None
    candidate_share: float
    revision: int
    updated_at: datetime
    rollout: RolloutView | None
    traffic: list[TrafficView]
    history: list[RolloutView]
    allowed_actions: list[AllowedAction]
    as_of: datetime


class DeploymentList(BaseModel):
    items: list[DeploymentView]


class MovedView(DeploymentView):
    rollback_ms: float | None = Field(description="milliseconds until serving was told; null for other actions")


def rollout_view(row: Any, steps: tuple[float, ...], allowed: tuple[Action, ...]) -> RolloutView:
    fields = {name: getattr(row, name) for name in RolloutView.model_fields if name not in ("steps", "allowed_actions")}
    return RolloutView(**fields, steps=list(steps), allowed_actions=list(allowed))
