"""What the sequential baseline is asked, and what comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from clm.jobs.job import Job, Written
from clm.policies import TrainingPolicy


@dataclass(frozen=True)
class BaselineTask(Written):
    name: str
    train: Path  # JSONL, as is the next
    held_out: Path
    metric: str


@dataclass(frozen=True, kw_only=True)
class BaselineResult(Written):
    """`matrix[i][j]` is the score on task j after task i, None before it is seen."""

    matrix: tuple[tuple[float | None, ...], ...]
    average_performance: float
    backward_transfer: float | None


@dataclass(frozen=True, kw_only=True)
class BaselineJob(Job[BaselineResult]):
    """One adapter goes through the tasks in order."""

    module: ClassVar[str] = "clm.demo.baseline"
    result: ClassVar[type[Any]] = BaselineResult

    tasks: tuple[BaselineTask, ...]
    policy: TrainingPolicy
    max_new_tokens: int
    work: Path  # folder for what is written on the way
    first_expert: Path | None = None  # an adapter that this budget gave for the first task: not trained again
