"""The job that lets compositions answer suites."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from clm.jobs.job import Job, Stored, Written
from clm.records import Metric, TaskScore


@dataclass(frozen=True)
class Contestant(Written):
    """A composition with the places of its parts."""

    experts: dict[str, Stored] = field(default_factory=dict[str, Stored])  # by task
    router: Stored | None = None
    tasks: tuple[str, ...] | None = None  # whose suites it answers; None: all
    likelihoods: bool = True  # of the right answers, which the gate compares


@dataclass(frozen=True)
class EarlyStop(Written):
    """Stop answering a task for `candidate` once it is clearly worse than `champion`."""

    margins: dict[str, float]  # by task
    confidence: float
    claims: int  # comparisons that the gate will make


@dataclass(frozen=True)
class JudgeOptions(Written):
    """Who judges free text. `key_env` names the environment variable that holds the key; it is written nowhere."""

    url: str  # such as http://127.0.0.1:8000/v1
    model: str
    key_env: str = "JUDGE_API_KEY"
    timeout: float = 60.0  # seconds per request


@dataclass(frozen=True)
class Answered(Written):
    scores: dict[str, TaskScore]
    answers: Path  # Parquet, see clm.evaluation.answers


@dataclass(frozen=True, kw_only=True)
class EvaluationResult(Written):
    compositions: dict[str, Answered]
    judge_trouble: str | None = None  # why a judge owes verdicts


@dataclass(frozen=True, kw_only=True)
class EvaluationJob(Job[EvaluationResult]):
    """Routes and answers all suites with each composition; what one has answered, the next one reuses."""

    module: ClassVar[str] = "clm.evaluation.job"
    result: ClassVar[type[Any]] = EvaluationResult

    compositions: dict[str, Contestant]
    suites: Path  # Parquet, see clm.formats.suites
    metrics: dict[str, Metric]  # by task
    max_new_tokens: int
    early_stop: EarlyStop | None = None
    judge: JudgeOptions | None = None  # needed where a task's metric is `judge`
