"""Request and response bodies of ingest."""

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
