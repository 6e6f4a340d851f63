"""Suites as they lie in an update's folder: one Parquet file with the held-out examples of all tasks."""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from clm.core.hashing import sha256_json
from clm.errors import InvalidInput
from clm.records import Json, Shape


@dataclass(frozen=True)
class SuiteExample:
    example_id: str
    task: str
    shape: Shape
    content: Json
    prompt_hash: str
    content_hash: str


def read_suites(path: Path) -> dict[str, list[SuiteExample]]:
    """Examples by task, in the file's order. Raises InvalidInput where there is none."""
    suites: dict[str, list[SuiteExample]] = {}
    for row in pl.read_parquet(path).iter_rows(named=True):
        example = SuiteExample(
            example_id=row["example_id"],
            task=row["task"],
            shape=row["shape"],
            content=json.loads(row["content"]),
            prompt_hash=row["prompt_hash"],
            content_hash=row["content_hash"],
        )
        suites.setdefault(example.task, []).append(example)
    if not suites:
        raise InvalidInput("No task has held-out examples. Bring some: clm ingest FILE --task … --suite.")
    return suites


def suite_hash(examples: list[SuiteExample]) -> str:
    """Names a suite's version; the same as in the snapshot that it comes from."""
    return sha256_json(sorted(example.content_hash for example in examples))
