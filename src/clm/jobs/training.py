"""Jobs that make parts of a model: an expert, a router, an expert between two others."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from clm.jobs.job import Job, Stored, Written
from clm.policies import PartsPolicy, TrainingPolicy, TransferPolicy
from clm.records import Json


@dataclass(frozen=True, kw_only=True)
class TrainingResult(Written):
    expert: Stored
    features: Stored  # the task's, for the router
    router: Stored  # over all tasks of the candidate
    steps: int
    tokens: int
    seconds: float
    final_loss: float
    notes: Json  # what the strategies chose: rows by origin, frozen layers …
    described: Path | None  # Parquet: what the memory policy goes by, of each row; see clm.training.rows
    state: str | None  # hash of what the strategies remember
    transfer: Json | None  # where a task without an expert started, see clm.training.transfer
    part: str  # the name of the expert that was trained
    merged: tuple[str, ...]  # experts that it replaces
    choice: Json | None  # how a task that has an expert went on, see clm.training.parts


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job[TrainingResult]):
    """Trains one expert and fits the router again."""

    module: ClassVar[str] = "clm.training.job"
    result: ClassVar[type[Any]] = TrainingResult

    task: str
    mixture: Path  # Parquet: record_id, task, shape, content (JSON), origin; see clm.store.mixture
    policy: TrainingPolicy
    init_expert: Stored | None = None  # the expert to go on from
    state: Path | None = None  # what the adapter's strategies remember
    others: dict[str, Stored] = field(default_factory=dict[str, Stored])  # the candidate's other experts, by task
    other_features: dict[str, Path] = field(default_factory=dict[str, Path])  # their router features
    own_features: Path | None = None  # the task's router features so far
    transfer: TransferPolicy | None = None  # where the task may start that has no expert; None: fresh
    parts: PartsPolicy | None = None  # None: the task's expert is trained, whatever there is of it
    part_states: dict[str, Path] = field(default_factory=dict[str, Path])  # what strategies remember of further parts
    changed: tuple[str, ...] = ()  # new rows whose key had another answer before
    consolidate: bool = False  # make one expert of the task's parts
    memory_needs: Literal["losses", "features"] | None = None  # what the memory policy goes by


@dataclass(frozen=True, kw_only=True)
class RefitResult(Written):
    router: Stored
    features: dict[str, str]  # hashes, of the tasks that had none


@dataclass(frozen=True, kw_only=True)
class RefitJob(Job[RefitResult]):
    """Fits a router again; no expert is touched."""

    module: ClassVar[str] = "clm.training.refit"
    result: ClassVar[type[Any]] = RefitResult

    features: dict[str, Path]  # by task; of these no data is needed
    policy: TrainingPolicy  # seed and strategies count
    rows: dict[str, Path] = field(default_factory=dict[str, Path])  # mixtures of tasks that have no features yet


@dataclass(frozen=True, kw_only=True)
class InterpolationResult(Written):
    expert: Stored


@dataclass(frozen=True, kw_only=True)
class InterpolationJob(Job[InterpolationResult]):
    """Makes the expert on the way from an old one (step 0) to a new one (step 1)."""

    module: ClassVar[str] = "clm.training.interpolation"
    result: ClassVar[type[Any]] = InterpolationResult

    old: Stored
    new: Stored
    step: float
