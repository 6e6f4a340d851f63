"""What runs on a home: one process tree at a time, held by a lock that the kernel lets go when its holder dies."""

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Any

from clm.core.clock import iso, now
from clm.core.files import read_json, write_json
from clm.errors import Conflict
from clm.settings import Paths

_PATIENCE = 2.0  # seconds; who asks what runs here holds the lock for a moment


class HomeLock:
    """The right to run services on a home. Raises Conflict if another process has it."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._file = _take(paths)

    def write_state(self, services: dict[str, dict[str, int | None]]) -> None:
        """Tells others what runs: per service its `pid`, `port` (None: it has none) and `restarts`."""
        write_json(_state_file(self._paths), {"pid": os.getpid(), "at": iso(now()), "services": services})

    def release(self) -> None:
        _state_file(self._paths).unlink(missing_ok=True)
        self._file.close()


def read_state(paths: Paths) -> dict[str, Any] | None:
    """Process ids and ports of the tree that runs on this home (see `HomeLock.write_state`); None if none does."""
    try:
        with _lock_file(paths).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None  # nobody holds it; a state that is still there was left by a killed tree
            except BlockingIOError:
                return read_json(_state_file(paths))
    except FileNotFoundError:
        return None


def _take(paths: Paths) -> IO[str]:
    deadline = time.monotonic() + _PATIENCE
    file = _lock_file(paths).open("a+")
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
    file.close()
    state = read_state(paths)
    who = f" as process {state['pid']}" if state else ""
    raise Conflict(
        f"CLM runs already{who} on {paths.home}. Use that one, or stop it first. For a second one beside it choose "
        "another home and other ports: CLM_HOME, CLM_API_PORT, CLM_GATEWAY_PORT, CLM_ENGINE_PORT."
    )


def _lock_file(paths: Paths) -> Path:
    return paths.run / "up.lock"


def _state_file(paths: Paths) -> Path:
    return paths.run / "up.json"
