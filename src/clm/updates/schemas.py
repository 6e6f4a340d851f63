from typing import Any, Literal

from pydantic import Field

from clm.core.schemas import Body, Schema, Time


class SliceVerdictOut(Schema):
    name: str  # "legacy", "new", "recall" or "slice 3"
    verdict: Literal["pass", "fail", "inconclusive"]
    candidate: float
    champion: float
    difference: float
    n: int
    stale: int


class TaskVerdictOut(Schema):
    task: str
    role: Literal["new", "refreshed", "original"]  # learned by this update, learned anew, or left as it was
    verdict: Literal["pass", "fail", "inconclusive"]
    reason: str
    candidate: float
    champion: float
    difference: float
    lower_bound: float
    margin: float
    n: int
    more_examples: int | None
    p_value: float | None = None
    power: float | None = None
    since_best: float | None = None
    slices: list[SliceVerdictOut] = []
    passed_by: Literal["route", "scores", "likelihood"] | None = None  # what rules a loss out
    changed: int | None = None  # examples that another expert answers than before
    stale: int = 0  # answers of the candidate that were superseded


class GateVerdictOut(Schema):
    verdict: Literal["pass", "fail", "inconclusive"]
    reason: str
    tasks: list[TaskVerdictOut]
    learned_nothing: bool = False
    doubted: bool = Field(default=False, description="the update's rows look mislabelled")
    average: float | None = None  # weighed over the tasks: difference to the best that each ever had


class RepairTryOut(Schema):
    kind: Literal["interpolate", "replay", "route"]
    step: float | None
    replay_share: float | None
    expert_hash: str | None
    scores: dict[str, float]
    gain: float | None
    verdict: Literal["pass", "fail", "inconclusive", "error"]
    reason: str
    handicap: float | None = None
    kept: bool


class Progress(Schema):
    stage: str
    at: Time | None = None
    step: int | None = None
    steps: int | None = None
    tokens_per_second: float | None = None
    eta_seconds: float | None = None
    loss: float | None = None


class StageOut(Schema):
    name: str
    state: Literal["waiting", "running", "done", "failed", "skipped"]
    attempts: int
    started_at: Time | None
    finished_at: Time | None
    detail: dict[str, Any] | None


class UpdateOut(Schema):
    id: str
    model: str
    task: str
    kind: Literal["learn", "consolidate", "remove"]
    state: Literal["queued", "running", "succeeded", "rejected", "inconclusive", "rolled-back", "failed", "cancelling",
                   "cancelled"]  # fmt: skip
    stage: str | None
    trigger: str
    trigger_reason: str
    champion: str | None
    release_id: str | None
    release_number: int | None
    rollout: Literal["canary", "blue-green"]  # how traffic is to move to its release
    rollout_id: str | None
    verdict: GateVerdictOut | None
    tries: list[RepairTryOut]
    outcome: str | None
    progress: Progress | None
    allowed_actions: list[str]
    revision: int
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    stages: list[StageOut]


class UpdateList(Schema):
    items: list[UpdateOut]
    next_cursor: str | None


class LogLine(Schema):
    n: int
    at: Time
    level: Literal["info", "warning", "error"]
    stage: str | None
    message: str


class LogPage(Schema):
    lines: list[LogLine]
    next: int


class UpdateIn(Body):
    model: str
    task: str
    rollout: Literal["canary", "blue-green"] | None = None
    # consolidate: makes one expert of the task's parts; remove: takes the task's expert out, then the task
    kind: Literal["learn", "consolidate", "remove"] = "learn"
    force: bool | None = None  # true: also removes a protected task
