"""Deployments as the API shows them."""

from typing import Any

from pydantic import Field

from clm.core.schemas import Body, Schema, Time
from clm.deployment.rollout import Action


class ActionBody(Body):
    expected_revision: int | None = Field(default=None, description="the revision that was looked at")
    to: str | None = Field(default=None, min_length=4, max_length=64, description="rollback: release id or its start")
    reason: str | None = Field(default=None, max_length=500)


class AllowedAction(Schema):
    action: Action
    enabled: bool
    reason: str | None = Field(description="why it is not possible now")


class CheckView(Schema):
    name: str
    verdict: str = Field(description="pass | fail | no-data | inconclusive")
    observed: float | None
    limit: float
    n: int


class VerdictView(Schema):
    step: int
    at: Time
    verdict: str = Field(description="promote | rollback | hold")
    reason: str
    checks: list[CheckView]


class RolloutView(Schema):
    id: str
    model: str
    release_id: str
    baseline: str
    update_id: str | None
    kind: str = Field(description="canary | blue-green | rollback")
    state: str = Field(description="waiting | running | paused | promoted | aborted | rolled-back")
    step: int = Field(description="index into steps")
    steps: list[float] = Field(description="shares in percent")
    step_started_at: Time
    verdicts: list[VerdictView]
    allowed_actions: list[Action]
    reason: str | None
    rollback_ms: float | None
    revision: int
    created_at: Time
    finished_at: Time | None


class TrafficView(Schema):
    release_id: str
    share: float = Field(description="percent of the model's requests")
    requests: int
    errors: int
    latency_p95_ms: float | None
    feedback_mean: float | None
    feedback_count: int
    window_seconds: float


class DeploymentView(Schema):
    model: str
    champion: str
    previous: str | None
    candidate: str | None
    candidate_share: float
    revision: int
    updated_at: Time
    rollout: RolloutView | None
    traffic: list[TrafficView]
    history: list[RolloutView]
    allowed_actions: list[AllowedAction]
    as_of: Time


class DeploymentList(Schema):
    items: list[DeploymentView]
    next_cursor: str | None = None


class MovedView(DeploymentView):
    rollback_ms: float | None = Field(description="milliseconds until serving was told; null for other actions")


def rollout_view(row: Any, steps: tuple[float, ...], allowed: tuple[Action, ...]) -> RolloutView:
    fields = {name: getattr(row, name) for name in RolloutView.model_fields if name not in ("steps", "allowed_actions")}
    return RolloutView(**fields, steps=list(steps), allowed_actions=list(allowed))
