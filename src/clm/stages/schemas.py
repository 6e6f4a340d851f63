from typing import Literal

from clm.core.schemas import Body, Schema


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


class RolloutIn(Body):
    release: str  # "v3", or the beginning of a release's id
    kind: Literal["canary", "blue-green"] | None = None  # None: the model's policy


class RolloutStarted(Schema):
    id: str
    model: str
    release_id: str
    kind: str
