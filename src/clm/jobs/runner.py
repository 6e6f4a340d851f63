"""Where a job runs: what every kind of runner keeps to. They end alike, with the same result in the job's folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from clm.jobs.files import write
from clm.jobs.job import Job
from clm.jobs.progress import Progress

R = TypeVar("R")
Watch = Callable[[Progress], None]


class JobRunner(Protocol):
    def run(self, job: Job[R], folder: Path, watch: Watch, at_end: Watch) -> R:
        """Does the job in `folder` and returns its result. `watch` is called on the way, and may raise to stop it;
        `at_end` once it has ended, well or not.

        One that was interrupted goes on from what lies there, one that had ended returns at once. Raises what the job
        says can't be done, TrainingFailed where it died without a word, and what `watch` raises.
        """
        ...


def prepare(job: Job[Any], folder: Path) -> Progress:
    """Writes the question into the job's folder; what an attempt before failed of is forgotten."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "job.json", job)
    (folder / "error.json").unlink(missing_ok=True)
    return Progress(folder)
