"""Rows out of an uploaded file, one by one, never more of it in memory than one row.

Whatever is wrong with a row becomes a `Refusal` with its line; reading goes on with the next one. Blank lines are
no rows. A file that can't be read any further (a truncated Parquet) ends with one refusal that says so.
"""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
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
_LOOKED_AT = 1 << 20  # bytes of a line, to see a file's form
LINES_LOOKED_AT = 100  # to see a file's form, and of those that an open quote took in


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
        source = _CsvLines(_lines(file, max_bytes), max_bytes)
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
                yield source.refusal(names, _delimiter(first), refused.field, refused.reason)
            except csv.Error as error:
                yield source.refusal(names, _delimiter(first), None, f"not valid CSV: {error}")


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
    if named is None and head.removeprefix(_BOM).lstrip().startswith((b"{", b"[")):
        named = "jsonl"
    if named is None:
        raise InvalidInput(f"Say which format the file has: {', '.join(READERS)}.", field="format")
    if named == "jsonl":
        _check_json_lines(path)
    return named


def _check_json_lines(path: Path) -> None:
    """Raises InvalidInput for JSON that is one value over many lines, or one array: no line of it is a row."""
    with path.open("rb") as file:
        pieces = islice(iter(lambda: file.readline(_LOOKED_AT), b""), LINES_LOOKED_AT)  # a line may be gigabytes long
        lines = (piece.removeprefix(_BOM).strip() for piece in pieces)
        first, *others = [*islice((line for line in lines if line), 2)] or [b""]
    broken = len(first) < _LOOKED_AT and first.endswith((b"{", b"[", b",", b":")) and not _is_json(first)
    if first.startswith(b"{") and broken:
        form, remedy = "one JSON object over several lines", "jq -c . FILE"
    elif first.startswith(b"[") and not (others and _is_json(first)):
        form, remedy = "one JSON array", "jq -c '.[]' FILE"
    else:
        return
    raise InvalidInput(
        f"The file is {form}; CLM reads JSON lines, one object a line. `{remedy}` writes it so.", field="file"
    )


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


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

    A line without text raises RowRefused through the reader; the reader's next record begins after it. A quote that is
    never closed takes in all lines up to the next one: those that are rows by themselves are read again as that.
    """

    def __init__(self, lines: Iterator[_Line], max_bytes: int) -> None:
        self._lines = lines
        self._again: deque[_Line] = deque()
        self._row: list[_Line] = []
        self._room = self._max_bytes = max_bytes

    def start_row(self) -> None:
        self._row, self._room = [], self._max_bytes

    @property
    def row_line(self) -> int:
        return self._row[0].number if self._row else 1

    @property
    def sample(self) -> str:
        return self._row[0].sample if self._row else ""

    def refusal(self, names: list[str], delimiter: str, field: str | None, reason: str) -> Refusal:
        """Of the record that was read last; the lines that it should not have taken in come again."""
        after = self._row[1:] if len(names) > 1 else []  # of one column, every line of text would be a row
        alone = sum(_is_row(line.text, len(names), delimiter) for line in after[:LINES_LOOKED_AT])
        if after and 2 * alone >= min(len(after), LINES_LOOKED_AT):
            self._again.extendleft(reversed(after))
            reason = "a quote is opened in this line and not closed; the lines after it are read as rows of their own"
            return Refusal(self.row_line, None, reason, self.sample)
        lines = f" (lines {self.row_line} to {self._row[-1].number})" if len(self._row) > 1 else ""
        return Refusal(self.row_line, field, reason + lines, self.sample)

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._row.append(line)
        text = line.text_or_raise()
        self._room -= len(text)
        if self._room < -self._max_bytes:  # before more lines than one row may hold are kept
            raise RowRefused(None, f"the row is longer than {self._max_bytes} bytes")
        if "\0" in text:
            raise RowRefused(None, "holds a NUL character")
        return text


def _is_row(text: str | None, fields: int, delimiter: str) -> bool:
    try:
        return text is not None and len(next(csv.reader([text], delimiter=delimiter, strict=True), [])) == fields
    except csv.Error:
        return False


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
