"""Signed heads: at times, number and hash of the newest audit entry go into a file of their own, signed.

The chain alone can't show that its end was cut off, that all of it was written anew, or that an old backup was put
back. The heads can: copy `audit-heads.jsonl` to another place, and whoever rewrites the database is found out.
"""

import base64
import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clm.audit import repository
from clm.core import keys as installation_keys
from clm.core.clock import iso, now
from clm.core.database import Database
from clm.core.files import sync_folder
from clm.core.hashing import canonical_json
from clm.errors import TamperedArtifact
from clm.settings import Paths

HEADS = "audit-heads.jsonl"


@dataclass(frozen=True)
class Head:
    sequence: int
    hash: str
    at: str  # ISO 8601, UTC


def anchor(database: Database, paths: Paths) -> Head | None:
    """Appends a signed head for the newest committed entry; None where there is nothing new.

    Raises TamperedArtifact where the chain no longer holds the entry of the last signed head.
    """
    with _locked(paths.logs / HEADS) as file:
        known, problem = _read(file, paths.keys)
        if problem:
            raise TamperedArtifact(problem)
        with database.read() as session:  # sees only what is committed: a head must never be ahead of the database
            newest = repository.newest(session)
            if known and repository.hash_at(session, known[-1].sequence) != known[-1].hash:
                raise TamperedArtifact(
                    f"Audit entry {known[-1].sequence} was signed, and is gone or another one now: "
                    "entries were cut off or written anew, or an old database was put back; see `clm audit verify`."
                )
        if newest is None or (known and known[-1].sequence == newest.sequence):
            return None
        head = Head(newest.sequence, newest.hash, iso(now()))
        signature = base64.b64encode(installation_keys.sign(paths.keys, _message(head))).decode()
        os.write(file, (canonical_json({**head.__dict__, "signature": signature}) + "\n").encode())
        os.fsync(file)
    return head


def read_heads(paths: Paths) -> tuple[list[Head], str | None]:
    """All signed heads, oldest first, and what is wrong with the file (None: nothing)."""
    if not (paths.logs / HEADS).exists():
        return [], None
    with _locked(paths.logs / HEADS) as file:
        return _read(file, paths.keys)


def _message(head: Head) -> bytes:
    return canonical_json(head.__dict__).encode()


def _read(file: int, key_folder: Path) -> tuple[list[Head], str | None]:
    """Reads from the start; leaves the file at its end, cut after the last whole line (a crash can tear one)."""
    os.lseek(file, 0, os.SEEK_SET)
    content = os.read(file, os.fstat(file).st_size)
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.ftruncate(file, len(whole))
    heads: list[Head] = []
    for number, line in enumerate(whole.splitlines(), start=1):
        head = _parse(line, key_folder)
        if head is None:
            return heads, f"Line {number} of {HEADS} is not signed by this installation's key: it was changed."
        heads.append(head)
    return heads, None


def _parse(line: bytes, key_folder: Path) -> Head | None:
    try:
        value: dict[str, Any] = json.loads(line)
        head = Head(value["sequence"], value["hash"], value["at"])
        signature = base64.b64decode(value["signature"], validate=True)
    except (ValueError, KeyError, TypeError):
        return None
    return head if installation_keys.is_signed(key_folder, _message(head), signature) else None


@contextmanager
def _locked(path: Path) -> Generator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        if is_new:
            sync_folder(path.parent)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)
