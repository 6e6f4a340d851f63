"""Locks between processes and threads. The kernel frees them when their holder dies, so none is ever stuck."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path) -> Generator[None]:
    """Holds an exclusive lock on `path`, waiting for it; not re-entrant. The empty file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
