from typing import Literal

from pydantic import Field

from clm.core.schemas import Body, Schema
from clm.policies import ModelPolicy


class RememberedOut(Schema):
    record_id: str
    answer: str
    score: float | None  # what the memory policy went by
    begins: str


class MemoryOut(Schema):
    task: str
    policy: str
    rows: int
    most_rows: int
    bytes: int
    most_bytes: int
    left_out: int  # erased, held out, held or dropped since
    answers: dict[str, int]  # empty where there are too many to read
    memory: str
    contents: list[RememberedOut]


class MemoryList(Schema):
    items: list[MemoryOut]
    next_cursor: str | None = None


class ModelIn(Body):
    name: str
    base: str = Field("smollm2-135m-instruct", max_length=4096, description="the built-in one, a folder, or a hub id")
    policy: ModelPolicy | None = None  # None: the defaults


class RolloutIn(Body):
    release: str  # "v3", or the beginning of a release's id
    kind: Literal["canary", "blue-green"] | None = None  # None: the model's policy


class RolloutStarted(Schema):
    id: str
    model: str
    release_id: str
    kind: str
