"""Rows out of a Parquet file. Its size claims are not trusted: cells are turned into Python one at a time."""
# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clm.ingest.refused import RowRefused, sample_of
from clm.ingest.row import Row
from clm.ingest.validation import FIELDS
from clm.records import Refusal

_ROWS_AT_A_TIME = 256


def parquet_rows(path: Path, max_bytes: int) -> Iterator[Row | Refusal]:
    """One row per row of the file; only the columns that ingest knows are read."""
    number, total = 0, 0
    try:
        schema = pq.read_schema(path)
        names = [name for name in schema.names if name in FIELDS]
        # A text that a small file repeats a thousand times must not lie in memory a thousand times.
        texts = [name for name in names if pa.types.is_string(schema.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            total = file.metadata.num_rows
            for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=names):
                columns = {name: _plain_times(batch.column(name)) for name in names}
                for i in range(batch.num_rows):
                    number += 1
                    yield _row(number, {name: column[i] for name, column in columns.items()}, max_bytes)
    except (pa.ArrowException, OSError, ValueError) as error:
        lost = f"; rows {number + 1} to {total} are lost" if total else ""
        reason = f"the Parquet file can't be read (truncated or damaged?){lost}: {_first_line(error)}"
        yield Refusal(number + 1, None, reason)


def _row(number: int, cells: dict[str, pa.Scalar], max_bytes: int) -> Row | Refusal:
    values: dict[str, Any] = {}
    for name, cell in cells.items():
        try:
            values[name] = _value(name, cell, max_bytes)
        except RowRefused as refused:
            return Refusal(number, refused.field, refused.reason)
    return Row(number, values, sample_of(str(values)))


def _value(name: str, cell: pa.Scalar, max_bytes: int) -> Any:
    if isinstance(cell, pa.DictionaryScalar):
        cell = cell.value
    if hasattr(cell, "as_buffer") and cell.is_valid and cell.as_buffer().size > max_bytes:
        raise RowRefused(name, f"is {cell.as_buffer().size} bytes long; at most {max_bytes} are taken")
    try:
        value = cell.as_py()
    except UnicodeDecodeError:
        raise RowRefused(name, "not valid UTF-8") from None
    except (ValueError, OverflowError) as error:
        raise RowRefused(name, _first_line(error)) from None
    return value


def _plain_times(column: pa.Array) -> pa.Array:
    """Nanoseconds don't fit Python's time; cut them to microseconds."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    return column


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
