"""A job in our own process."""

import importlib
import traceback
from pathlib import Path
from typing import TypeVar

from clm.errors import ClmError, TrainingFailed
from clm.jobs.job import Job
from clm.jobs.progress import listening
from clm.jobs.runner import Watch, prepare

R = TypeVar("R")


class Inline:
    """In our process and thread: for tests and notebooks, where starting Python and torch takes longer than the job.

    It can be cancelled whenever it tells its progress, and keeps torch in memory.
    """

    def run(self, job: Job[R], folder: Path, watch: Watch, at_end: Watch) -> R:
        progress = prepare(job, folder)

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
