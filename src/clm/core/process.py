"""Child processes that never outlive us: services of `clm up`, and the worker's training and evaluation jobs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

# The kernel's "parent" is the thread that started the child. One thread that lives as long as this process starts
# them all; a child started from a pool's thread would be killed when that thread is no longer needed.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="process-starter")


def spawn(
    module: str, *arguments: str, log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts `python -m module arguments…`; what it prints is added to `log`.

    The child is killed when this process ends, even by kill -9. It gets a process group of its own, so that Ctrl-C
    in the terminal reaches only us and we can stop it in order. `environment` is added to ours.
    """
    return _starter.submit(_start, module, arguments, log, environment or {}).result()


def _start(
    module: str, arguments: tuple[str, ...], log: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    # -P: a file in the current folder that is named like a module must not be imported in its place.
    command = [sys.executable, "-P", "-m", "clm.core.child", str(os.getpid()), module, *arguments]
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], grace: float = 10.0) -> int:
    """Asks the child to end, kills its process group after `grace` seconds, and returns its exit code."""
    if process.poll() is None:
        process.terminate()
    return stop_by(process, time.monotonic() + grace)


def stop_by(process: subprocess.Popen[bytes], deadline: float) -> int:
    """Waits for a child that was asked to end until `deadline` (monotonic seconds), then kills its process group."""
    try:
        return process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def tail(log: Path, lines: int = 5, longest: int = 4096) -> str:
    """The last lines of a log, for a sentence that tells why a child ended. Empty if there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - longest))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.strip().splitlines()[-lines:])
