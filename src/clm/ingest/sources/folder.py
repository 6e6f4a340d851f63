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

from clm.core.files import sync_folder, write_bytes
from clm.core.hashing import sha256_file, short
from clm.errors import ClmError, InvalidInput, Unavailable
from clm.ingest import service
from clm.ingest.intake import Intake
from clm.ingest.sources.source import SourceKind, spec_of
from clm.ingest.tables import Source
from clm.records import IngestReport, Json

LONGEST_PATH = 4096  # characters
SETTLED_SECONDS = 1.0  # a file that was changed more recently may still be written
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp")
_log = logging.getLogger(__name__)


class Folder(SourceKind):
    """Settings: `path`, an existing folder on the worker's machine."""

    def check(self, settings: Json) -> tuple[str, Json]:
        path, *others = settings.get("path"), *sorted(settings.keys() - {"path"})
        if others:
            raise InvalidInput(f"A folder has no setting {others[0]!r}; it has: path.", field=f"settings.{others[0]}")
        if not isinstance(path, str) or not path or len(path) > LONGEST_PATH:
            raise InvalidInput("Name the folder: settings.path.", field="settings.path")
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise InvalidInput(f"There is no folder {folder}; make it first.", field="settings.path")
        return str(folder), {"path": str(folder)}

    def poll(self, intake: Intake, source: Source) -> list[IngestReport]:
        """Takes what lies ready. A crash before the move is harmless: the key is the content's."""
        taken = [_take(intake, source, file) for file in _ready(Path(source.settings["path"]))]
        return [report for report in taken if report is not None]


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


def _take(intake: Intake, source: Source, file: Path) -> IngestReport | None:
    try:
        digest = sha256_file(file)
        report = service.ingest(intake, file, spec_of(source, digest))
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
