"""Runs a job for an update, where the installation's settings say, and relays its progress into the update."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clm.core.database import Database
from clm.errors import Cancelled
from clm.jobs.evaluation import JudgeOptions
from clm.jobs.job import Compute, Job
from clm.jobs.progress import Progress
from clm.jobs.runners import RUNNERS
from clm.orchestration import log, service
from clm.settings import Settings

RELAY_SECONDS = 1.0
R = TypeVar("R")


def compute_of(settings: Settings) -> Compute:
    return Compute(settings.threads, settings.device, settings.dtype)


def judge_of(settings: Settings) -> JudgeOptions | None:
    if settings.judge_url is None or settings.judge_model is None:
        return None
    return JudgeOptions(settings.judge_url, settings.judge_model, settings.judge_key_env)


def run_job(
    settings: Settings, database: Database, update_id: str, job: Job[R], folder: Path, update_folder: Path
) -> R:
    """Does the job in `folder` and returns its result; what it says goes to the update's log.

    Raises what `clm.jobs.runners.JobRunner` does, and Cancelled.
    """
    relayed = 0.0

    def watch(progress: Progress) -> None:
        nonlocal relayed
        if progress.latest and time.monotonic() - relayed >= RELAY_SECONDS:
            _relay(database, update_id, update_folder, progress)
            relayed = time.monotonic()
        if _cancelled(database, update_id):
            raise Cancelled("Cancelled while it ran; the champion was not touched.")

    return RUNNERS[settings.jobs].run(
        job, folder, watch, at_end=lambda progress: _relay(database, update_id, update_folder, progress)
    )


def run_alone(settings: Settings, job: Job[R], folder: Path, tell: Callable[[str], None]) -> R:
    """The same for a question that belongs to no update; `tell` gets the job's sentences."""

    def watch(progress: Progress) -> None:
        for event in progress.take_messages():
            tell(event["message"])

    return RUNNERS[settings.jobs].run(job, folder, watch, at_end=watch)


def _relay(database: Database, update_id: str, update_folder: Path, progress: Progress) -> None:
    for event in progress.take_messages():
        log.write(update_folder, event.get("stage"), event["message"])
    if progress.latest is None:
        return
    with database.transaction() as session:
        update = service.get_update(session, update_id)
        update.progress = {k: v for k, v in progress.latest.items() if k != "message"}
        service.touch(session, update)


def _cancelled(database: Database, update_id: str) -> bool:
    with database.read() as session:
        return service.get_update(session, update_id).state == "cancelling"
