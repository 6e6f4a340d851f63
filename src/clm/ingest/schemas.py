"""Request and response bodies of ingest."""

from typing import Any

from pydantic import Field

from clm.core.schemas import Body, Schema, Time


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
    model: str
    task: str
    path: str = Field(min_length=1, max_length=4096, description="an existing folder on the machine of the worker")
    suite: bool = False


class SourceOut(Schema):
    id: str
    model: str
    task: str
    path: str
    suite: bool
    created_at: Time


class SourceList(Schema):
    items: list[SourceOut]


class DropIn(Body):
    """Rows to take out, or with `undo` to take back."""

    record_ids: list[str] = Field(min_length=1, max_length=10_000)
    suite: bool = Field(default=False, description="held-out examples, not training rows")
    reason: str = Field(min_length=1, max_length=500)
    undo: bool = False
    dry_run: bool = Field(default=False, description="say what would happen, and change nothing")


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
