"""The answers of one evaluation, one row per example: what the gate compares and the parity check repeats."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from clm.core.files import read_json
from clm.evaluation.comparison import ExampleScore
from clm.evaluation.doubt import Answered
from clm.evaluation.slices import RECALL
from clm.evaluation.suites import read_suites
from clm.records import BASE, Json, Shape, SliceKind

_SCHEMA = {
    "task": pl.String,
    "example_id": pl.String,
    "prompt_hash": pl.String,
    "routed": pl.String,
    "expert_hash": pl.String,
    "answer": pl.String,
    "reference": pl.String,
    "score": pl.Float64,
    "max_new_tokens": pl.Int64,
    "reused": pl.Boolean,
    "slice": pl.Int64,
    "kind": pl.String,
    "likelihood": pl.Float64,
    "stale": pl.Boolean,
}


@dataclass(frozen=True)
class AnswerRow:
    task: str
    example_id: str
    prompt_hash: str
    routed: str  # the task whose expert answered, or BASE
    expert_hash: str | None  # None: the base
    answer: str | None  # None: the metric reads likelihoods, nothing was generated
    reference: str
    score: float
    max_new_tokens: int | None  # how long the answer could get
    reused: bool  # from the answer store
    slice: int = 1  # of the suite
    kind: SliceKind = "held_out"
    likelihood: float | None = None  # mean natural log-likelihood per token of the reference; None: not measured
    stale: bool = False  # the answer is one that was superseded

    def scored(self) -> ExampleScore:
        """What the gate needs of it."""
        return ExampleScore(self.example_id, self.score, self.likelihood, self.expert_hash or BASE, self.slice,
                            self.kind, self.stale)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """A prompt with the answer that was evaluated: what serves the release must answer exactly this."""

    shape: Shape
    content: Json
    max_new_tokens: int
    answer: str
    routed: str


def write_answers(rows: Sequence[AnswerRow], path: Path) -> Path:
    """Writes a Parquet file, whole or not at all."""
    temporary = path.with_name(f".{path.name}")
    pl.DataFrame([asdict(row) for row in rows], schema=_SCHEMA).write_parquet(temporary)
    os.replace(temporary, path)
    return path


def example_scores(path: Path) -> dict[str, list[ExampleScore]]:
    """By task, from an answers file, as the gate takes them."""
    scores: dict[str, list[ExampleScore]] = {}
    for row in pl.read_parquet(path, glob=False).iter_rows(named=True):
        scores.setdefault(row["task"], []).append(AnswerRow(**row).scored())
    return scores


def held_out(path: Path, task: str, newest_old: int) -> list[Answered]:
    """A task's held-out examples from an answers file; those of slices above `newest_old` are new."""
    rows = pl.read_parquet(path, glob=False).filter((pl.col("task") == task) & (pl.col("kind") != RECALL))
    return [Answered(row["reference"].strip(), row["score"], row["slice"] > newest_old)
            for row in rows.iter_rows(named=True)]  # fmt: skip


def has_answers(folder: Path, composition: str = "candidate") -> bool:
    """Whether an evaluation's folder holds what was answered."""
    return (folder / f"answers-{composition}.parquet").exists()


def probes(folder: Path, count: int, composition: str = "candidate") -> list[Probe]:
    """Up to `count` generated answers of an evaluation's folder, tasks in turn; empty if there is none."""
    if not has_answers(folder, composition):
        return []
    file = folder / f"answers-{composition}.parquet"
    suites = read_suites(Path(read_json(folder / "job.json")["suites"]))
    asked = {(task, e.example_id): e for task, examples in suites.items() for e in examples}
    rows = pl.read_parquet(file, glob=False).filter(pl.col("answer").is_not_null())
    in_turn = rows.with_columns(turn=pl.int_range(pl.len()).over("task")).sort("turn", "task").head(count)
    found: list[Probe] = []
    for row in in_turn.iter_rows(named=True):
        example = asked[row["task"], row["example_id"]]
        found.append(Probe(example.shape, example.content, row["max_new_tokens"], row["answer"], row["routed"]))
    return found
