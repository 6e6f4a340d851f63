"""The nouns of facts that change: versions of what rows say, and what people have said of them. As `clm.records`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Exam = Literal["auto", "held_out", "recall"]  # how a task is examined, see clm.catalog.tables.Task
SliceKind = Literal["held_out", "own", "recall"]  # left out of a delivery | brought by the user | taught prompts
State = Literal["holds", "superseded", "undecided"]


@dataclass(frozen=True)
class Stored:
    """A row of the dataset: one version of what a key or a prompt has as its answer."""

    record_id: str
    task: str
    key: str
    prompt_key: str  # SHA-256 hex of the normalised prompt
    answer_key: str
    content_hash: str
    prompt: str
    answer: str
    event_time: datetime
    ingested_at: datetime
    source: str
    batch_id: str
    author: str | None
    held_out: bool  # it stands in the suite, and not among the training rows
    kind: SliceKind | None
    slice: int | None
    state: State
    superseded_by: str | None = None  # record id


@dataclass(frozen=True)
class Known:
    """What the dataset holds of what a delivery is about; rows of the delivery itself are not in it."""

    rows: tuple[Stored, ...] = ()
    answers: dict[str, int] = field(default_factory=dict[str, int])  # training rows that hold, per answer key
    elsewhere: frozenset[str] = frozenset()  # prompt keys that other tasks hold out
    examined: frozenset[str] | None = None  # record ids that a run of this delivery, cut off, put into the suite


@dataclass(frozen=True)
class Ruling:
    """What a person said of rows that contradict each other: record ids that are right, and that are not."""

    wins: tuple[str, ...]
    loses: tuple[str, ...] = ()
