"""Suites as they lie in an update's folder: one Parquet file with what examines all tasks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from clm.core.hashing import sha256_json
from clm.errors import InvalidInput
from clm.facts import SliceKind
from clm.formats.parquet import read_rows, write_rows
from clm.records import Json, Shape

_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("example_id", "task", "shape", "content", "prompt_hash", "content_hash")]
    + [("slice", pa.int32()), ("kind", pa.string()), ("old_answers", pa.string())]  # a JSON list
)


@dataclass(frozen=True)
class SuiteExample:
    example_id: str
    task: str
    shape: Shape
    content: Json
    prompt_hash: str
    content_hash: str
    slice: int = 1  # number of the suite's slice; an example whose answer changed counts to the slice of the change
    kind: SliceKind = "held_out"  # recall: a prompt that is taught, so it says nothing about generalisation
    old_answers: tuple[str, ...] = ()  # superseded: giving one of them is stale, not merely wrong


def write_suites(out: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """`content` and `old_answers` are JSON text in each row."""
    return write_rows(out, rows, _SCHEMA)


def read_suites(path: Path) -> dict[str, list[SuiteExample]]:
    """Examples by task, in the file's order; files from before slices are one slice.

    Raises InvalidInput where there is no example.
    """
    suites: dict[str, list[SuiteExample]] = {}
    for row in read_rows(path):
        example = SuiteExample(
            example_id=row["example_id"],
            task=row["task"],
            shape=row["shape"],
            content=json.loads(row["content"]),
            prompt_hash=row["prompt_hash"],
            content_hash=row["content_hash"],
            slice=row.get("slice") or 1,
            kind=row.get("kind") or "held_out",
            old_answers=tuple(json.loads(row.get("old_answers") or "[]")),
        )
        suites.setdefault(example.task, []).append(example)
    if not suites:
        raise InvalidInput("No task has held-out examples. Bring some: clm ingest FILE --task … --suite.")
    return suites


def suite_hash(examples: list[SuiteExample]) -> str:
    """Names a suite's version; the same as in the snapshot that it comes from."""
    return sha256_json(sorted(example.content_hash for example in examples))
