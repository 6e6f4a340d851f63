from typing import Any, Literal

from clm.core.schemas import Schema, Time


class OperationOut(Schema):
    id: str
    kind: str
    subject: str
    asked_by: str
    state: Literal["queued", "running", "done", "failed"]
    progress: str | None
    outcome: str | None
    result: dict[str, Any] | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class OperationPage(Schema):
    items: list[OperationOut]
    next_cursor: str | None
