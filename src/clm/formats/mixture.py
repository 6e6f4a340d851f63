"""What an update trains on: one Parquet file, written by the store, read by training."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import pyarrow as pa

from clm.errors import InvalidInput
from clm.formats.parquet import read_rows, write_rows
from clm.records import Json, Shape

_SCHEMA = pa.schema([(name, pa.string()) for name in ("record_id", "task", "shape", "content", "origin")])


@dataclass(frozen=True)
class MixtureRow:
    record_id: str
    task: str
    shape: Shape
    content: Json
    origin: Literal["new", "replay"]


def write_mixture(out: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """`content` is JSON text in each row."""
    return write_rows(out, rows, _SCHEMA)


def read_mixture(path: Path) -> Iterator[MixtureRow]:
    """Raises InvalidInput for a file that is none."""
    for row in read_rows(path):
        try:
            yield MixtureRow(
                row["record_id"], row["task"], cast(Shape, row["shape"]), json.loads(row["content"]), row["origin"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"The mixture {path.name} can't be read: {error!r}.") from error
