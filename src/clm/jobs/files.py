"""A job's folder: its question, its result and its reason to fail, as checked JSON."""

import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from clm.core.files import write_json
from clm.core.locks import file_lock
from clm.errors import ClmError, InvalidInput
from clm.jobs.job import Job, Written

W = TypeVar("W", bound=Written)
R = TypeVar("R", bound=Written)
J = TypeVar("J", bound=Job[Any])


def write(path: Path, value: Written) -> None:
    """Raises InvalidInput for a value that is not the same when it is read again."""
    kind = type(value)
    plain = _adapter(kind).dump_python(value, mode="json")
    if _parse(kind, json.dumps(plain), path.name) != value:
        raise InvalidInput(f"{path.name}: this {kind.__name__} is another one after it was written as JSON: {value}.")
    write_json(path, plain)


def read(path: Path, kind: type[W]) -> W:
    """Raises InvalidInput where the file is missing, or holds another kind's fields."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} can't be read as a {kind.__name__}: {error}.") from error
    return _parse(kind, text, path.name)


def read_job(folder: Path, kind: type[J]) -> J:
    return read(folder / "job.json", kind)


def read_result(folder: Path, kind: type[R]) -> R | None:
    """None: the job has not ended."""
    return read(folder / "result.json", kind) if (folder / "result.json").exists() else None


def write_result(folder: Path, result: Written) -> None:
    write(folder / "result.json", result)


def run_once(folder: Path, kind: type[J], result: type[R], do: Callable[[J, Path], R]) -> R:
    """Does the job in the folder, unless that was done before: `do` gets the job and the folder."""
    with file_lock(folder / "lock"):  # a process of an earlier attempt may still be dying
        done = read_result(folder, result)
        if done is None:
            done = do(read_job(folder, kind), folder)
            write_result(folder, done)
        return done


def run_in_folder(run: Callable[[Path], Any]) -> int:
    """A job's process: runs it in the folder that the command line names; returns the exit code."""
    folder = Path(sys.argv[1])
    try:
        run(folder)
    except ClmError as error:
        write_json(folder / "error.json", {"title": error.title, "sentence": error.sentence})
        return 1
    return 0


def _parse(kind: type[W], text: str, name: str) -> W:
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise InvalidInput(f"{name} is no {kind.__name__}: {where}: {first['msg']}.", field=where) from None


@cache
def _adapter(kind: type[W]) -> TypeAdapter[W]:
    return TypeAdapter(kind)
