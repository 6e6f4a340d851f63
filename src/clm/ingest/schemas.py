"""Request and response bodies of ingest."""

from typing import Any, Literal, Self, cast

from pydantic import Field, model_validator

from clm.core.schemas import Body, Schema, Time
from clm.facts import State


class RefusalOut(Schema):
    line: int
    field: str | None
    reason: str
    sample: str


class ReportOut(Schema):
    batch_id: str
    model: str
    task: str
    received: int = Field(description="= accepted + duplicate + refused, always")
    accepted: int
    duplicate: int
    refused: int
    suite: bool
    dataset_version: int | None = Field(description="none where no row was accepted")
    into_suite: int = Field(description="of the accepted: put into the task's suite by its holdout share")
    superseding: int = Field(description="of the accepted: they say something newer than what held")
    late: int = Field(description="of the accepted: of an earlier event time than what holds, so history on arrival")
    contradicting: int = Field(description="of the accepted: held until a person says which answer is right")
    notes: list[str] = Field(description="what was decided about the delivery as a whole, in sentences")
    unchecked: str | None = Field(description="why rows were not checked against tokenizer, template and limits")
    advice: str | None = Field(description="with a task's first rows: a metric that suits them better")
    refusals: list[RefusalOut] = Field(description="the first 100; /batches/{id}/refusals has the others")


class BatchOut(Schema):
    id: str
    model: str
    task: str
    source: str
    suite: bool
    state: str = Field(description="receiving | committed | refused")
    received: int
    accepted: int
    duplicate: int
    refused: int
    into_suite: int
    superseding: int
    late: int
    contradicting: int
    notes: list[str]
    dataset_version: int | None
    created_at: Time
    finished_at: Time | None


class BatchPage(Schema):
    items: list[BatchOut]
    next_cursor: str | None


class RefusalPage(Schema):
    items: list[RefusalOut]
    next_cursor: str | None


class SourceIn(Body):
    kind: str = Field("folder", description="folder: files that appear in it are taken once each")
    settings: dict[str, Any] = Field(description="of its kind; a folder's: {path}, on the worker's machine")
    model: str
    task: str
    suite: bool = False
    key: str | None = Field(None, max_length=400, description="columns that say what a row is about; none: its prompt")


class SourceOut(Schema):
    id: str
    kind: str
    address: str
    settings: dict[str, Any]
    model: str
    task: str
    suite: bool
    key: str | None
    created_at: Time


class SourceList(Schema):
    items: list[SourceOut]
    next_cursor: str | None = None


class DatasetVersionOut(Schema):
    table: str
    version: int
    at: Time
    rows: int
    operation: str
    batch_id: str | None


class DatasetVersionPage(Schema):
    items: list[DatasetVersionOut]
    next_cursor: str | None


class HeldOut(Schema):
    batch_id: str
    update_id: str
    model: str
    task: str
    rows: int
    reason: str
    state: Literal["held", "released", "discarded"]
    created_at: Time
    decided_at: Time | None


class HeldList(Schema):
    items: list[HeldOut]
    next_cursor: str | None = None


class HeldDecisionIn(Body):
    decision: Literal["released", "discarded"] = Field(description="learn from them again, or never")
    dry_run: bool = Field(default=False, description="say what would happen, and change nothing")


class DropIn(Body):
    """Rows to take out, or with `undo` to take back."""

    record_ids: list[str] = Field(default=[], max_length=10_000)
    batch_id: str | None = Field(default=None, description="instead of ids: all that this delivery brought")
    suite: bool = Field(default=False, description="held-out examples, not training rows")
    reason: str = Field(min_length=1, max_length=500)
    undo: bool = False
    dry_run: bool = Field(default=False, description="say what would happen, and change nothing")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.record_ids) == (self.batch_id is not None):
            raise ValueError("name record_ids, or a batch_id")
        return self


class DroppedRecord(Schema):
    record_id: str
    task: str
    content: dict[str, Any]


class DropOut(Schema):
    model: str
    suite: bool
    undone: bool
    dry_run: bool
    records: list[DroppedRecord] = Field(description="what changed")
    unchanged: list[str] = Field(description="were dropped (or not) already")
    left: dict[str, int] = Field(description="per task concerned: rows that still count")


class DroppedRowOut(Schema):
    record_id: str
    task: str
    suite: bool
    reason: str
    actor: str
    created_at: Time
    undone_at: Time | None


class DroppedList(Schema):
    items: list[DroppedRowOut]
    next_cursor: str | None = None


class VersionOut(Schema):
    """One version of what a key or a prompt has as its answer."""

    record_id: str
    task: str
    key: str
    prompt: str
    answer: str
    event_time: Time
    ingested_at: Time
    source: str
    batch_id: str
    author: str | None
    held_out: bool
    slice: int | None
    state: State
    superseded_by: str | None


class HistoryOut(Schema):
    items: list[VersionOut] = Field(description="by task, oldest first")
    next_cursor: str | None = None


class OptionOut(Schema):
    record_id: str
    answer: str
    event_time: str
    source: str
    batch_id: str
    held_out: bool
    new: bool = Field(description="it came with the delivery that is held; otherwise it held before")


class ConflictOut(Schema):
    id: str
    model: str
    task: str
    batch_id: str
    key: str
    prompt: str
    reason: str
    options: list[OptionOut]
    state: Literal["open", "resolved"]
    decision: str | None = Field(description="newest | keep-both | the record id that is right")
    wins: list[str] = Field(description="record ids of the answers that were found right")
    decided_by: str | None
    created_at: Time
    decided_at: Time | None
    allowed_actions: list[str]

    @model_validator(mode="before")
    @classmethod
    def _with_actions(cls, row: Any) -> Any:
        if isinstance(row, dict):
            return cast("dict[str, Any]", row)
        actions = ["resolve"] if row.state == "open" else ["resolve-again"]
        return {**{name: getattr(row, name) for name in cls.model_fields if name != "allowed_actions"},
                "allowed_actions": actions}  # fmt: skip


class ConflictPage(Schema):
    items: list[ConflictOut]
    next_cursor: str | None


class ResolveIn(Body):
    decision: str = Field(min_length=1, max_length=200, description="newest | keep-both | the record id that is right")


class ResolveAllIn(Body):
    decision: Literal["newest", "keep-both"]
    model: str
    batch_id: str | None = Field(None, description="only what this batch brought")


class ResolvedOut(Schema):
    items: list[ConflictOut]
