"""Rows out of an uploaded file, one by one, never more of it in memory than one row.

Whatever is wrong with a row becomes a `Refusal` with its line; reading goes on with the next one. Blank lines are
no rows. A file that can't be read any further (a truncated Parquet) ends with one refusal that says so.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from clm.errors import InvalidInput, unknown_name
from clm.ingest import json_text
from clm.ingest.parquet import parquet_rows
from clm.ingest.refused import RowRefused, sample_of
from clm.ingest.row import Row
from clm.records import Refusal

_BOM = b"\xef\xbb\xbf"
_CSV_DELIMITERS = ",;\t"


def jsonl_rows(path: Path, max_bytes: int) -> Iterator[Row | Refusal]:
    """One JSON object a line, in UTF-8."""
    with path.open("rb") as file:
        for line in _lines(file, max_bytes):
            if line.text is not None and not line.text.strip():
                continue
            try:
                yield Row(line.number, _json_object(line.text_or_raise()), line.sample)
            except RowRefused as refused:
                yield Refusal(line.number, refused.field, refused.reason, line.sample)


def csv_rows(path: Path, max_bytes: int) -> Iterator[Row | Refusal]:
    """A header line, then one row a record (RFC 4180); comma, semicolon or tab, whichever the header has most of."""
    csv.field_size_limit(max(csv.field_size_limit(), max_bytes))
    with path.open("rb") as file:
        source = _CsvLines(_lines(file, max_bytes))
        try:
            first = next(source, "")
            names = next(csv.reader([first], delimiter=_delimiter(first), strict=True), [])
            _check_header(names)
        except (RowRefused, csv.Error) as error:
            yield Refusal(1, None, f"the header line can't be used: {error}", source.sample)
            return
        reader = csv.reader(source, delimiter=_delimiter(first), strict=True)
        while True:
            source.start_row()
            try:
                cells = next(reader)
                if cells:
                    yield Row(source.row_line, _csv_values(names, cells, max_bytes), source.sample)
            except StopIteration:
                return
            except RowRefused as refused:
                yield Refusal(source.row_line, refused.field, refused.reason, source.sample)
            except csv.Error as error:
                yield Refusal(source.row_line, None, f"not valid CSV: {error}", source.sample)


READERS: dict[str, Callable[[Path, int], Iterator[Row | Refusal]]] = {
    "jsonl": jsonl_rows,
    "csv": csv_rows,
    "parquet": parquet_rows,
}
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv",
             ".parquet": "parquet"}  # fmt: skip
_CONTENT_TYPES = {
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/x-jsonlines": "jsonl",
    "application/json": "jsonl",
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
_PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


def format_of(path: Path, *, format: str | None, file_name: str | None, content_type: str | None) -> str:
    """The reader for a file: as asked for, else by its name, its content type or its first bytes.

    Raises InvalidInput for packed files, for a name that the content belies, and where nothing tells the format.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    packed = next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)
    if packed:
        raise InvalidInput(f"The file is packed with {packed}; unpack it first.", field="file")
    if format is not None and format not in READERS:
        raise unknown_name("format", format, list(READERS))
    named = format or _SUFFIXES.get(Path(file_name or "").suffix.lower())
    named = named or _CONTENT_TYPES.get((content_type or "").partition(";")[0].strip().lower())
    if head.startswith(b"PAR1"):
        if named not in (None, "parquet"):
            raise InvalidInput(f"The file is said to be {named}, but it is Parquet. Name it so.", field="format")
        return "parquet"
    if named is None and head.removeprefix(_BOM).lstrip().startswith(b"{"):
        return "jsonl"
    if named is None:
        raise InvalidInput(f"Say which format the file has: {', '.join(READERS)}.", field="format")
    return named


@dataclass(frozen=True)
class _Line:
    """A physical line: its text, or why it has none."""

    number: int
    text: str | None
    problem: str
    sample: str

    def text_or_raise(self) -> str:
        if self.text is None:
            raise RowRefused(None, self.problem)
        return self.text


def _lines(file: BinaryIO, max_bytes: int) -> Iterator[_Line]:
    """Lines of at most `max_bytes`; of a longer one only the beginning is read into memory, the rest is skipped."""
    if file.read(3) != _BOM:
        file.seek(0)
    number = 0
    while raw := file.readline(max_bytes + 2):
        number += 1
        sample = sample_of(raw)
        if len(raw.rstrip(b"\r\n")) > max_bytes:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(1 << 16)
            yield _Line(number, None, f"the line is longer than {max_bytes} bytes", sample)
            continue
        try:
            yield _Line(number, raw.decode("utf-8"), "", sample)
        except UnicodeDecodeError as error:
            hint = "; it looks like UTF-16, save it as UTF-8" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ""
            yield _Line(number, None, f"not valid UTF-8 at byte {error.start + 1}{hint}", sample)


def _json_object(text: str) -> dict[str, Any]:
    value = json_text.parse(text)
    if not isinstance(value, dict):
        raise RowRefused(None, 'must be one JSON object per line, such as {"prompt": …, "completion": …}')
    return value


class _CsvLines:
    """Feeds lines to `csv.reader`, which takes several for a record with line breaks in quotes.

    A line without text raises RowRefused through the reader; the reader's next record begins after it.
    """

    def __init__(self, lines: Iterator[_Line]) -> None:
        self._lines = lines
        self._first_of_row: _Line | None = None

    def start_row(self) -> None:
        self._first_of_row = None

    @property
    def row_line(self) -> int:
        return self._first_of_row.number if self._first_of_row else 1

    @property
    def sample(self) -> str:
        return self._first_of_row.sample if self._first_of_row else ""

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._first_of_row = self._first_of_row or line
        text = line.text_or_raise()
        if "\0" in text:
            raise RowRefused(None, "holds a NUL character")
        return text


def _delimiter(header: str) -> str:
    return max(_CSV_DELIMITERS, key=header.count)


def _check_header(names: list[str]) -> None:
    if not any(name.strip() for name in names):
        raise RowRefused(None, "it is empty")
    if len(set(names)) < len(names):
        raise RowRefused(None, f"the column {max(names, key=names.count)!r} is there twice")


def _csv_values(names: list[str], cells: list[str], max_bytes: int) -> dict[str, Any]:
    if len(cells) != len(names):
        raise RowRefused(None, f"has {len(cells)} fields where the header has {len(names)}")
    if sum(map(len, cells)) > max_bytes:
        raise RowRefused(None, f"the row is longer than {max_bytes} bytes")
    return {name.strip(): cell for name, cell in zip(names, cells, strict=True)}
