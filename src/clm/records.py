"""The nouns that travel between stages. Frozen, plain, and all that one stage may know of another."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from clm.facts import Ruling, SliceKind
from clm.verdicts import GateVerdict as GateVerdict
from clm.verdicts import PassedBy as PassedBy
from clm.verdicts import RepairTry as RepairTry
from clm.verdicts import SliceVerdict as SliceVerdict
from clm.verdicts import TaskVerdict as TaskVerdict
from clm.verdicts import VerdictName as VerdictName
from clm.verdicts import kept_try as kept_try

Json = dict[str, Any]
Shape = Literal["messages", "completion", "preference", "text"]
Metric = Literal[
    "exact_match", "token_f1", "rouge_l", "chrf", "contains", "number", "json_fields", "perplexity", "choice", "judge"
]
UPDATE_ENDED = ("succeeded", "rejected", "inconclusive", "rolled-back", "failed", "cancelled")  # its last states
BASE = "__base__"  # the router's answer "none of these": the untouched base answers


@dataclass(frozen=True)
class Record:
    """One example on its way in. `content` holds one shape's fields, normalised; hashes are SHA-256 hex."""

    record_id: str  # "rec_" + first 24 hex digits of content_hash
    task: str
    shape: Shape
    # {"messages": […]} | {"prompt", "completion", and maybe "choices"} | {"prompt", "chosen", "rejected"} | {"text"}
    content: Json
    content_hash: str  # over shape + content
    prompt_hash: str  # over what the model sees before it answers; for `text`, over the text
    event_time: datetime
    ingested_at: datetime
    source: str
    batch_id: str
    author: str | None = None
    quality: dict[str, float] = field(default_factory=dict[str, float])
    schema_version: int = 1
    key: str = ""  # what the record is about: "column=value", or (also for "") its normalised prompt's hash
    slice: int | None = None  # of a held-out row: the suite's slice that it came in; None (from before slices): 1
    kind: SliceKind | None = None  # of a held-out row; None (from before slices): "held_out"
    held: bool = False  # contradicts another row, and a person has to say which of them is right


@dataclass(frozen=True)
class Refusal:
    """A row that was not taken: where, which field, why, and its first characters."""

    line: int  # 1-based line (JSONL, CSV: header is line 1) or row (Parquet) number
    field: str | None
    reason: str
    sample: str = ""


@dataclass(frozen=True)
class IngestReport:
    """received = accepted + duplicate + refused, always."""

    batch_id: str
    model: str
    task: str
    received: int
    accepted: int
    duplicate: int
    refused: int
    suite: bool
    dataset_version: int | None  # None where no row was accepted
    refusals: tuple[Refusal, ...] = ()
    into_suite: int = 0  # of the accepted: rows that the task's holdout share put into its suite
    superseding: int = 0  # of the accepted: rows that say something newer than what held
    late: int = 0  # of the accepted: rows of an earlier event time than what holds; they are history on arrival
    contradicting: int = 0  # of the accepted: rows held until a person says which answer is right
    notes: tuple[str, ...] = ()  # sentences on what was decided about the delivery as a whole
    unchecked: str | None = None  # why rows were not checked against tokenizer, template and limits; None: they were
    advice: str | None = None  # with a task's first rows: why another metric suits them better


Fate = Literal["accepted", "duplicate", "barred"]  # barred: the prompt stands on the other side of the held-out line


@dataclass(frozen=True)
class Appended:
    """What the store did with the records of one batch."""

    fates: list[Fate]  # one per record, in the order given
    version: int | None  # of the table after the append; None where no record was accepted

    @property
    def accepted(self) -> int:
        return self.fates.count("accepted")

    @property
    def duplicates(self) -> int:
        return self.fates.count("duplicate")


@dataclass(frozen=True)
class Snapshot:
    """Pins one version per Delta table; `counts` are training rows per task, `suites` held-out rows per task."""

    model: str
    tables: dict[str, int]  # {"records": 7, "suites": 3}
    counts: dict[str, int]
    suites: dict[str, int]
    suite_hashes: dict[str, str]  # per task, over the sorted content hashes of its suite
    dropped: tuple[str, ...] = ()  # record ids of training rows that a person had taken out by then
    dropped_examples: tuple[str, ...] = ()  # the same of suites
    slices: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])  # rows per task and slice
    closed: dict[str, int] = field(default_factory=dict[str, int])  # per task: its newest closed slice; 0: none yet
    rulings: tuple[Ruling, ...] = ()  # on rows that contradict each other; those without one are left out
    renewed: dict[str, str] = field(default_factory=dict[str, str])  # per task: which examples changed with their facts
    bounds: tuple[int, int] | None = None  # rows of an old slice, of all old slices together; None: all stay in use


@dataclass(frozen=True)
class Mixture:
    """What an update trains on: a Parquet file of `record_id, task, shape, content (JSON), origin (new|replay)`.

    Its balance of new and legacy data is part of the update's record.
    """

    task: str
    path: str
    new_rows: int
    replay_rows: int
    held_out: int  # rows left out because their prompt stands in a suite
    content_hash: str  # over record ids and origins, in order
    record_ids: tuple[str, ...]
    batches: dict[str, int] = field(default_factory=dict[str, int])  # new rows per batch
    replayed: dict[str, int] = field(default_factory=dict[str, int])  # replayed rows per task
    answers: dict[str, list[int]] = field(default_factory=dict[str, list[int]])  # [new, replayed] of each, where few
    memory_policy: str | None = None
    memory_rows: int | None = None  # of this task that may be replayed; None: no memory yet, so all old rows may
    memory_budget: float = 1.0  # share of the memory policy's budget for the memory after this update
    changed: tuple[str, ...] = ()  # new rows whose key had another answer before
    left_out: tuple[str, ...] = ()  # rows that the task's training has not seen: held, dropped or unfit
    dropped: tuple[str, ...] = ()  # of these: taken out by a person
    superseded: int = 0  # rows of the task that no longer hold, because a newer row says otherwise
    undecided: int = 0  # rows that contradict others and wait for a person
    unfit: dict[str, str] = field(default_factory=dict[str, str])  # rows that can't be trained on, and why


@dataclass(frozen=True)
class Memory:
    """Which rows of a task are kept to be replayed: a Parquet file of `record_id, loss, features`, named by its hash.

    It holds no content: that stays in the task's table alone, so a record that is erased there is never replayed.
    """

    hash: str
    policy: str
    rows: int
    bytes: int  # of content
    most_rows: int
    most_bytes: int


def task_of(expert: str) -> str:
    """The task that an expert answers. A task's first part has its name, further ones are `task.2`, `task.3` …"""
    return expert.partition(".")[0]


def part_number(expert: str) -> int:
    """1 for a task's first part, n for `task.n`."""
    return int(expert.partition(".")[2] or 1)


@dataclass(frozen=True)
class Composition:
    """What answers a prompt: base, experts by name and the router. Equal compositions answer equally."""

    base_hash: str
    experts: dict[str, str]  # expert's name, see `task_of` -> expert hash
    router_hash: str | None  # None: no experts, the base answers everything

    @property
    def tasks(self) -> frozenset[str]:
        """The tasks that have an expert."""
        return frozenset(map(task_of, self.experts))

    def parts(self, task: str) -> list[str]:
        """The names of a task's experts, in order."""
        return sorted((name for name in self.experts if task_of(name) == task), key=part_number)


@dataclass(frozen=True)
class Trained:
    """What training made: a candidate composition, and how it went."""

    composition: Composition
    task: str
    expert_hash: str
    features_hash: str  # the task's router features, kept so that the router can be fitted again without old data
    steps: int
    tokens: int
    seconds: float
    final_loss: float
    described: str | None = None  # Parquet: what the memory policy goes by, of each row of the mixture
    adapter: str = ""  # whose expert it is: the task's own, its group's, or "shared"
    state_hash: str | None = None  # what the strategies remember for the next update of this adapter
    notes: Json = field(default_factory=dict[str, Any])  # what they chose: rows by origin, frozen layers …
    transfer: Json | None = None  # a new task's start and why, see clm.training.transfer; None: its own expert
    part: str = ""  # the name of the expert that was trained; empty: the task's
    choice: Json | None = None  # why that part, see clm.training.parts; None: the task had no expert, or no choice


@dataclass(frozen=True)
class SliceScore:
    """One slice of a suite. Of kind `recall`, taught prompts: what is not forgotten, never what is generalised."""

    slice: int
    kind: SliceKind
    score: float
    n: int
    stale: int = 0  # answers that were superseded


@dataclass(frozen=True)
class TaskScore:
    """A suite's score in [0, 1] over what is not taught, higher is better (perplexity is mapped, see
    clm.evaluation.metrics)."""

    task: str
    metric: Metric
    score: float
    n: int
    suite_hash: str
    misrouted: int  # examples that another expert (or the base) answered
    reused: int  # answers taken from the store instead of being generated again
    slices: tuple[SliceScore, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Scores of one composition; `answers` is a Parquet file, one row per example (see clm.evaluation.answers)."""

    composition: Composition
    scores: dict[str, TaskScore]
    answers: str
    left_out: dict[str, str] = field(default_factory=dict[str, str])  # held-out examples that can't be asked, and why
    judge_trouble: str | None = None  # why a judge owes verdicts: tasks that need them have no score


@dataclass(frozen=True)
class Judged:
    """A candidate with all that is known about it, and what was tried to repair it (empty: nothing had to be)."""

    mixture: Mixture
    trained: Trained
    evaluations: dict[str, Evaluation]
    verdict: GateVerdict
    tries: tuple[RepairTry, ...] = ()


@dataclass(frozen=True)
class Release:
    """A content-addressed, signed bundle that can be served."""

    release_id: str  # SHA-256 of the canonical manifest
    model: str
    number: int  # 1, 2, 3 … per model, for people: "v3"
    path: str  # relative to the home
    composition: Composition
    parent: str | None
    manifest: Json


@dataclass(frozen=True)
class TrafficWindow:
    """What was seen of one release since a moment. Latencies in milliseconds, errors answered 5xx or empty.

    A request whose client left before its answer was whole is not in it.
    """

    requests: int
    errors: int
    latency_p95_ms: float | None  # within 2.5 %; None: no request
    feedback_count: int
    feedback_mean: float | None  # scores in [0, 1]; None: no feedback
