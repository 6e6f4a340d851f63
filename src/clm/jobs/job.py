"""What every kind of job has in common.

A job is done in a folder of its own by `run(folder)` of a stage's module, in a process (`python -m module folder`) or
in ours. What it is asked lies in `job.json`, what it made in `result.json`, what it says on the way in
`progress.jsonl`; a process that can't do it writes `error.json`. All are frozen dataclasses: a new field is one line.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import ConfigDict

from clm.core.artifacts import Artifacts

R = TypeVar("R", covariant=True)


class Written:
    """Is kept as JSON, see `clm.jobs.files`: unknown and missing fields are refused."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Compute(Written):
    """Where and in which type it is computed; see `clm.settings`."""

    threads: int
    device: str = "cpu"
    dtype: str = "float32"


@dataclass(frozen=True)
class Stored(Written):
    """A part of a model on disk. Parts of a release lie in its folder, new ones under their hash in `Artifacts`."""

    hash: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Job(Written, Generic[R]):
    """A question to the language model; `R` is what comes of it."""

    module: ClassVar[str]  # has `run(folder)`, and does the same as a process
    result: ClassVar[type[Any]]  # R

    base: str  # hash
    artifacts: Artifacts  # where the base is read and what is made is written
    compute: Compute

    @property
    def base_path(self) -> Path:
        return self.artifacts.base(self.base)
