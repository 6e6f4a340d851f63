"""Runs a job for an update, where the installation's settings say, and relays its progress into the update."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clm.errors import Cancelled
from clm.installation import Installation
from clm.jobs.evaluation import JudgeOptions
from clm.jobs.job import Compute, Job
from clm.jobs.progress import Progress
from clm.settings import Settings
from clm.stages.context import Context
from clm.updates import log
from clm.updates import service as updates

RELAY_SECONDS = 1.0
R = TypeVar("R")


def compute_of(settings: Settings) -> Compute:
    return Compute(settings.threads, settings.device, settings.dtype)


def judge_of(settings: Settings) -> JudgeOptions | None:
    if settings.judge_url is None or settings.judge_model is None:
        return None
    return JudgeOptions(settings.judge_url, settings.judge_model, settings.judge_key_env)


def run_job(at: Context, job: Job[R], folder: Path) -> R:
    """Does the job in `folder` and returns its result; what it says goes to the update's log.

    Raises what `clm.jobs.runner.JobRunner` does, and Cancelled.
    """
    relayed = 0.0

    def watch(progress: Progress) -> None:
        nonlocal relayed
        if progress.latest and time.monotonic() - relayed >= RELAY_SECONDS:
            _relay(at, progress)
            relayed = time.monotonic()
        with at.database.read() as session:
            if updates.get_update(session, at.update_id).state == "cancelling":
                raise Cancelled("Cancelled while it ran; the champion was not touched.")

    return at.installation.jobs.run(job, folder, watch, at_end=lambda progress: _relay(at, progress))


def run_alone(on: Installation, job: Job[R], folder: Path, tell: Callable[[str], None]) -> R:
    """The same for a question that belongs to no update; `tell` gets the job's sentences."""

    def watch(progress: Progress) -> None:
        for event in progress.take_messages():
            tell(event["message"])

    return on.jobs.run(job, folder, watch, at_end=watch)


def _relay(at: Context, progress: Progress) -> None:
    for event in progress.take_messages():
        log.write(at.folder, event.get("stage"), event["message"])
    if progress.latest is None:
        return
    with at.database.transaction() as session:
        update = updates.get_update(session, at.update_id)
        update.progress = {k: v for k, v in progress.latest.items() if k != "message"}
        updates.touch(session, update)
