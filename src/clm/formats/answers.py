"""The answers of one evaluation, one row per example: one Parquet file."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from clm.facts import SliceKind
from clm.formats.parquet import read_rows, write_rows

_SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("example_id", pa.string()),
        ("prompt_hash", pa.string()),
        ("routed", pa.string()),
        ("expert_hash", pa.string()),
        ("answer", pa.string()),
        ("reference", pa.string()),
        ("score", pa.float64()),
        ("max_new_tokens", pa.int64()),
        ("reused", pa.bool_()),
        ("slice", pa.int64()),
        ("kind", pa.string()),
        ("likelihood", pa.float64()),
        ("stale", pa.bool_()),
    ]
)


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


def write_answers(rows: Sequence[AnswerRow], path: Path) -> Path:
    return write_rows(path, [asdict(row) for row in rows], _SCHEMA)


def read_answers(path: Path) -> Iterator[AnswerRow]:
    for row in read_rows(path):
        yield AnswerRow(**row)
