"""Watched folders: each file that appears is taken once, then moved to `done/` or `refused/` beside it.

What is moved is what was taken: a file that somebody has open for writing waits, and one that changed while it was
taken stays and is taken again.
"""

import errno
import fcntl
import logging
import os
import signal
import time
from pathlib import Path

from clm.core.caller import Caller
from clm.core.database import Database
from clm.core.files import sync_folder, write_bytes
from clm.core.hashing import sha256_file, short
from clm.errors import ClmError, Unavailable
from clm.ingest import repository, service
from clm.ingest.batch import RecordStore
from clm.ingest.tables import WatchedFolder
from clm.records import IngestReport
from clm.settings import Settings

SETTLED_SECONDS = 1.0  # a file that was changed more recently may still be written
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp")
_log = logging.getLogger(__name__)


def scan(database: Database, store: RecordStore, settings: Settings, caller: Caller) -> list[IngestReport]:
    """Takes what lies ready in every watched folder. A crash before the move is harmless: the key is the content's."""
    with database.read() as session:
        watched = repository.folders(session)
    reports: list[IngestReport] = []
    for folder in watched:
        for file in _ready(Path(folder.path)):
            report = _take(database, store, settings, caller, folder, file)
            if report is not None:
                reports.append(report)
    return reports


def _ready(folder: Path) -> list[Path]:
    """Files at rest, by name. A writer that opens its file again and again should use a hidden or `.part` name, and
    rename it at the end."""
    try:
        files = [f for f in sorted(folder.iterdir()) if f.is_file() and not f.is_symlink() and not _is_unfinished(f)]
        return [f for f in files if time.time() - f.stat().st_mtime >= SETTLED_SECONDS and not _is_being_written(f)]
    except OSError as error:
        _log.warning("the watched folder %s can't be read: %s", folder, error.strerror)
        return []


def _is_unfinished(file: Path) -> bool:
    return file.name.startswith(".") or file.suffix.lower() in _UNFINISHED


def _is_being_written(file: Path) -> bool:
    """Whether a process has it open for writing: Linux gives no read lease on such a file. Where no lease can be had at
    all (somebody else's file, a network's file system), its rest is all there is to go by."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        handle = os.open(file, os.O_RDONLY)
    except OSError:  # then it can't be taken either: that is told there, and keeps no other file out
        return False
    try:
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)  # harmless, should somebody open it this very moment
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(handle)
    return False


def _take(
    database: Database, store: RecordStore, settings: Settings, caller: Caller, folder: WatchedFolder, file: Path
) -> IngestReport | None:
    try:
        digest = sha256_file(file)
        report = service.ingest(
            database, store, settings, caller, file, model=folder.model, task=folder.task, source=folder.path[-200:],
            suite=folder.suite, key=folder.settings.get("key"), idempotency_key=f"{folder.id}:{digest}",
        )  # fmt: skip
    except (Unavailable, OSError) as error:
        _log.warning("%s stays where it is and is tried again: %s", file, error)
        return None
    except ClmError as error:
        moved = _move(file, "refused", short(sha256_file(file)))
        write_bytes(moved.with_name(moved.name + ".reason.txt"), (error.sentence + "\n").encode())
        _log.warning("%s was refused: %s", file, error.sentence)
        return None
    except Exception:  # one file that meets a mistake of ours must not keep the others out
        _log.exception("%s could not be taken; it stays where it is and is tried again", file)
        return None
    if _changed(file, digest):
        _log.warning("%s was changed while it was taken; it stays where it is and is taken again", file)
        return report
    _move(file, "done" if report.accepted + report.duplicate else "refused", short(digest))
    return report


def _changed(file: Path, digest: str) -> bool:
    try:
        return sha256_file(file) != digest
    except OSError:  # gone, or out of reach: nothing to move
        return True


def _move(file: Path, into: str, digest: str) -> Path:
    """Moves a file; where the name is taken, the digest goes before the suffix."""
    target = file.parent / into / file.name
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        target = target.with_name(f"{file.stem}.{digest}{file.suffix}")
    file.replace(target)
    sync_folder(target.parent)
    sync_folder(file.parent)
    return target
