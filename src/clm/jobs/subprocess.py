"""A job in a process of its own."""

import subprocess
from pathlib import Path
from typing import TypeVar

from clm import errors
from clm.core import files, process
from clm.errors import ClmError, TrainingFailed
from clm.jobs.files import read
from clm.jobs.job import Job
from clm.jobs.runner import Watch, prepare

POLL_SECONDS = 0.25
R = TypeVar("R")


class Subprocess:
    """A process per job: its memory is free again at its end, and our process needs no torch."""

    def run(self, job: Job[R], folder: Path, watch: Watch, at_end: Watch) -> R:
        progress = prepare(job, folder)
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
