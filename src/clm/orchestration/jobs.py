"""Runs a training or evaluation job as a process of its own and relays its progress into the update."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clm import errors
from clm.core import files, process
from clm.core.database import Database
from clm.errors import ClmError, TrainingFailed
from clm.orchestration import log, service

POLL_SECONDS = 0.25
RELAY_SECONDS = 1.0


class Cancelled(ClmError):
    """Somebody cancelled the update while a job of it ran."""

    title = "Cancelled"


def run_job(
    database: Database, update_id: str, folder: Path, module: str, job: dict[str, Any], update_folder: Path
) -> dict[str, Any]:
    """Runs `python -m module folder` to its end and returns its result.json; what it says goes to the update's log.

    A job that was interrupted goes on from what lies in its folder. Raises what the job reported in error.json,
    TrainingFailed where it died without a word, and Cancelled.
    """
    relayed = 0.0

    def look(progress: ProgressFile) -> None:
        nonlocal relayed
        if progress.latest and time.monotonic() - relayed >= RELAY_SECONDS:
            _relay(database, update_id, update_folder, progress)
            relayed = time.monotonic()
        if _cancelled(database, update_id):
            raise Cancelled("Cancelled while it ran; the champion was not touched.")

    return _run(folder, module, job, look, lambda progress: _relay(database, update_id, update_folder, progress))


def run_alone(folder: Path, module: str, job: dict[str, Any], tell: Callable[[str], None]) -> dict[str, Any]:
    """The same for a question that belongs to no update; `tell` gets the job's sentences."""

    def look(progress: ProgressFile) -> None:
        for event in progress.messages:
            tell(event["message"])
        progress.messages.clear()

    return _run(folder, module, job, look, look)


def _run(
    folder: Path,
    module: str,
    job: dict[str, Any],
    look: Callable[["ProgressFile"], None],
    at_end: Callable[["ProgressFile"], None],
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "job.json", job)
    (folder / "error.json").unlink(missing_ok=True)
    progress = ProgressFile(folder / "progress.jsonl")
    child = process.spawn(module, str(folder), log=folder / "process.log", environment={"HF_HUB_OFFLINE": "1"})
    try:
        while child.poll() is None:
            time.sleep(POLL_SECONDS)
            progress.read()
            look(progress)
    finally:
        process.stop(child, grace=5)
    progress.read()
    at_end(progress)
    if child.returncode == 0:
        return files.read_json(folder / "result.json")
    raise _failure(folder, module, child.returncode)


class ProgressFile:
    """Follows a growing file of JSON lines; a line still being written waits for its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self.latest: dict[str, Any] | None = None
        self.messages: list[dict[str, Any]] = []

    def read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        for line in data[:whole].splitlines():
            event = json.loads(line)
            self.latest = event
            if event.get("message"):
                self.messages.append(event)


def _relay(database: Database, update_id: str, update_folder: Path, progress: ProgressFile) -> None:
    for event in progress.messages:
        log.write(update_folder, event.get("stage"), event["message"])
    progress.messages.clear()
    if progress.latest is None:
        return
    with database.transaction() as session:
        update = service.get_update(session, update_id)
        update.progress = {k: v for k, v in progress.latest.items() if k != "message"}
        service.touch(session, update)


def _cancelled(database: Database, update_id: str) -> bool:
    with database.read() as session:
        return service.get_update(session, update_id).state == "cancelling"


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
