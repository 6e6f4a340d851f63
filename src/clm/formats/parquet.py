"""Rows to a Parquet file, whole or not at all, and back."""

# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# (pyarrow has no types)

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clm.core.files import write_bytes
from clm.errors import InvalidInput


def write_rows(out: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> Path:
    """Columns that the schema does not name are left out. Durable."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    write_bytes(out, sink.getvalue().to_pybytes())
    return out


def read_rows(path: Path, columns: Collection[str] | None = None) -> list[dict[str, Any]]:
    """All columns, or those of `columns` that are there. Raises InvalidInput where the file can't be read."""
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            chosen = names if columns is None else [name for name in names if name in columns]
            return file.read(columns=chosen).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InvalidInput(f"{path.name} can't be read as Parquet: {error}.") from error
