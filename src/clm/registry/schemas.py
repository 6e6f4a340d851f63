from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Alias = Literal["champion", "candidate", "previous"]


class ReleaseOut(BaseModel):
    release_id: str
    number: int
    model: str
    parent: str | None
    update_id: str | None
    created_at: datetime
    alias: Alias | None
    base: str
    experts: dict[str, str]  # task -> expert hash
    router_hash: str | None
    verdict: str | None  # the gate's; None: released without a gate (the first release)
    mlflow_version: str | None


class ReleaseList(BaseModel):
    items: list[ReleaseOut]
    next_cursor: str | None = None


class ReleaseDetail(ReleaseOut):
    path: str  # of its bundle, from CLM's home
    manifest: dict[str, Any]


class VerifiedOut(BaseModel):
    release_id: str
    ok: bool
    reason: str


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ExpertChangeOut(_Out):
    task: str
    change: Literal["added", "removed", "changed", "same"]
    before: str | None
    after: str | None
    records_added: int
    records_removed: int


class ValueChangeOut(_Out):
    name: str
    before: Any
    after: Any


class ScoreChangeOut(_Out):
    task: str
    metric: str | None
    before: float | None
    after: float | None
    difference: float | None


class ComparisonOut(_Out):
    before: str
    after: str
    base_changed: bool
    router_changed: bool
    experts: list[ExpertChangeOut]
    config: list[ValueChangeOut]
    data: list[ValueChangeOut]
    scores: list[ScoreChangeOut]
