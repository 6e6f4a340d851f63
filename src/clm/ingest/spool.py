"""Uploads on their way in: copied to disk and synced first, so that nothing that was acknowledged can be lost."""

import errno
import hashlib
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from clm.core.database import Database
from clm.core.files import sync_folder
from clm.core.ids import new_id
from clm.errors import InvalidInput, TooLarge, Unavailable
from clm.ingest import repository
from clm.settings import Settings

_PIECE = 1 << 20  # bytes
_ORPHAN_SECONDS = 3600.0


@dataclass(frozen=True)
class Spooled:
    path: Path
    sha256: str
    size: int

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)


class Spooling:
    """A file in the spool that grows piece by piece. Raises TooLarge once `max_upload_bytes` is exceeded."""

    def __init__(self, settings: Settings) -> None:
        settings.paths.spool.mkdir(parents=True, exist_ok=True)
        self.path = settings.paths.spool / f"{new_id('spl')}.body"
        self._limit = settings.max_upload_bytes
        self._digest = hashlib.sha256()
        self._size = 0
        self._file = self.path.open("xb")

    def write(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLarge(f"The upload is larger than {self._limit} bytes; nothing was kept. Send it in parts.")
        self._digest.update(piece)
        with _space_needed():
            self._file.write(piece)

    def finish(self) -> Spooled:
        with _space_needed():
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        sync_folder(self.path.parent)
        return Spooled(self.path, self._digest.hexdigest(), self._size)

    def drop(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def spool(settings: Settings, body: Path | BinaryIO) -> Spooled:
    """Copies a file or stream into the spool. Raises TooLarge over the cap, InvalidInput for what is no file."""
    target = Spooling(settings)
    try:
        for piece in _pieces(body):
            target.write(piece)
        return target.finish()
    except BaseException:
        target.drop()
        raise


def _pieces(body: Path | BinaryIO) -> Iterator[bytes]:
    if not isinstance(body, Path):
        yield from iter(lambda: body.read(_PIECE), b"")
        return
    if not body.is_file():
        raise InvalidInput(f"There is no file {body}.", field="file")
    try:
        with body.open("rb") as file:
            yield from iter(lambda: file.read(_PIECE), b"")
    except PermissionError:
        raise InvalidInput(f"The file {body} can't be read: permission denied.", field="file") from None


@contextmanager
def _space_needed() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable("The disk is full; nothing was kept. Free some space and send it again.") from None
        raise


def drop_forgotten(database: Database, settings: Settings) -> None:
    """Removes uploads from the spool that broke off with their process: no batch speaks of them."""
    old = [f for f in settings.paths.spool.glob("*") if time.time() - f.stat().st_mtime > _ORPHAN_SECONDS]
    with database.read() as session:
        needed = {settings.home / (batch.spool_path or "") for batch in repository.unfinished(session)}
    for file in old:
        if file not in needed:
            file.unlink(missing_ok=True)
