"""Where a job runs: in a process of its own, or in ours. Both end alike, with the same result in the job's folder."""

import importlib
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from clm import errors
from clm.core import files, process
from clm.errors import ClmError, TrainingFailed
from clm.jobs.files import read, write
from clm.jobs.job import Job
from clm.jobs.progress import Progress, listening
from clm.settings import RunnerName

POLL_SECONDS = 0.25
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


class Subprocess:
    """A process per job: its memory is free again at its end, and our process needs no torch."""

    def run(self, job: Job[R], folder: Path, watch: Watch, at_end: Watch) -> R:
        progress = _prepare(job, folder)
        module = job.module
        child = process.spawn(module, str(folder), log=folder / "process.log", environment={"HF_HUB_OFFLINE": "1"})
        try:
            while not _ended(child, POLL_SECONDS):
                progress.read()
                watch(progress)
        finally:
            process.stop(child, grace=5)
        progress.read()
        at_end(progress)
        if child.returncode == 0:
            return read(folder / "result.json", job.result)
        raise _failure(folder, module, child.returncode)


class Inline:
    """In our process and thread: for tests and notebooks, where starting Python and torch takes longer than the job.

    It can be cancelled whenever it tells its progress, and keeps torch in memory.
    """

    def run(self, job: Job[R], folder: Path, watch: Watch, at_end: Watch) -> R:
        progress = _prepare(job, folder)

        def look() -> None:
            progress.read()
            watch(progress)

        result: R
        try:
            with listening(look):
                result = importlib.import_module(job.module).run(folder)
        except ClmError:
            at_end(progress)
            raise
        except Exception as error:
            at_end(progress)
            (folder / "process.log").write_text(traceback.format_exc(), encoding="utf-8")
            word = f"{type(error).__name__}: {error}"
            raise TrainingFailed(f"{job.module} ended without a reason. Its last word: {word}") from error
        at_end(progress)
        return result


RUNNERS: dict[RunnerName, JobRunner] = {"subprocess": Subprocess(), "inline": Inline()}


def _prepare(job: Job[Any], folder: Path) -> Progress:
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "job.json", job)
    (folder / "error.json").unlink(missing_ok=True)
    return Progress(folder)


def _ended(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Waits for its end, so long at most."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _failure(folder: Path, module: str, code: int) -> ClmError:
    report = folder / "error.json"
    if report.exists():
        error = files.read_json(report)
        kinds = {kind.title: kind for kind in vars(errors).values()
                 if isinstance(kind, type) and issubclass(kind, ClmError)}  # fmt: skip
        return kinds.get(error.get("title", ""), TrainingFailed)(error["sentence"])
    killed = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    said = process.tail(folder / "process.log", lines=1)
    return TrainingFailed(f"{module} {killed} without a reason. Its last word: {said or 'none'}")
