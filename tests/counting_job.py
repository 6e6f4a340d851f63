"""A job that counts, for tests of the runners: it needs no model."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from clm.errors import InvalidInput
from clm.jobs.files import run_in_folder, run_once
from clm.jobs.job import Job, Written
from clm.jobs.progress import tell


@dataclass(frozen=True, kw_only=True)
class Counted(Written):
    last: int


@dataclass(frozen=True, kw_only=True)
class CountingJob(Job[Counted]):
    module: ClassVar[str] = "counting_job"
    result: ClassVar[type[Any]] = Counted

    to: int
    fails: str | None = None


def run(folder: Path) -> Counted:
    return run_once(folder, CountingJob, Counted, _count)


def _count(job: CountingJob, folder: Path) -> Counted:
    for number in range(1, job.to + 1):
        tell(folder, "count", {"step": number, "steps": job.to, "message": f"{number} of {job.to}"})
    if job.fails == "in words":
        raise InvalidInput("Nobody can count so far.")
    if job.fails is not None:
        raise ValueError(job.fails)
    return Counted(last=job.to)


if __name__ == "__main__":
    import counting_job  # the same classes as in the process that asks

    sys.exit(run_in_folder(counting_job.run))
