"""Files of data sets, gzipped or not, with sentences for what is missing or broken."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clm.errors import InvalidInput, NotFound


def read_text(file: Path) -> str:
    """The file's text; where there is none of this name, that of `file` with `.gz` added."""
    packed = file.with_name(f"{file.name}.gz")
    try:
        if file.is_file():
            return file.read_text(encoding="utf-8")
        if packed.is_file():
            return gzip.decompress(packed.read_bytes()).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} can't be read: {error}.") from error
    raise NotFound(f"There is no {file}, nor {packed.name} beside it. Is --data the folder that holds this data set?")


def read_json(file: Path) -> Any:
    text = read_text(file)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{file} is not JSON: {error}.") from error


def read_json_lines(file: Path) -> Iterator[tuple[int, Any]]:
    """Line number (from 1) and value of each line that is not blank."""
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise InvalidInput(f"Line {number} of {file} is not JSON: {error}.", line=number) from error


def read_csv(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(file), newline="")))


def folder_ignoring_case(parent: Path, name: str) -> Path | None:
    for path in sorted(parent.iterdir()):
        if path.is_dir() and path.name.lower() == name.lower():
            return path
    return None


def shorten(text: str, limit: int, *, keep_end: bool = False) -> str:
    """White space as single blanks, and at most `limit` characters, cut between words; `…` stands for what is gone."""
    text = " ".join(text.split())
    if len(text) <= limit:
        return text
    if keep_end:
        return "… " + text[2 - limit :].partition(" ")[2]
    return text[: limit - 1].rpartition(" ")[0] + " …"
