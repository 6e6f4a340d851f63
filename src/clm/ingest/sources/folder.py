"""Watched folders: each file that appears is taken once, then moved to `done/` or `refused/` beside it."""

import logging
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
    """Files at rest, by name. A writer that pauses should use a hidden or `.part` name, and rename at the end."""
    try:
        files = [f for f in sorted(folder.iterdir()) if f.is_file() and not f.is_symlink()]
        return [f for f in files if not _is_unfinished(f) and time.time() - f.stat().st_mtime >= SETTLED_SECONDS]
    except OSError as error:
        _log.warning("the watched folder %s can't be read: %s", folder, error.strerror)
        return []


def _is_unfinished(file: Path) -> bool:
    return file.name.startswith(".") or file.suffix.lower() in _UNFINISHED


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
    _move(file, "done" if report.accepted + report.duplicate else "refused", short(digest))
    return report


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
