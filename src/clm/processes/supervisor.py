"""`clm up`: all services as one process tree. A crashed one is started again, and nothing outlives the tree."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from clm.core.process import spawn, stop_by, tail
from clm.core.running import HomeLock
from clm.errors import Conflict, Unavailable
from clm.processes.services import SERVICES, Service, check_port, environment, hold_free_ports, is_healthy, port_of
from clm.settings import Paths, Settings

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1  # seconds
PORT_PATIENCE = 3.0  # seconds; the services of a tree that was just killed may still be letting go of their ports
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 30.0  # seconds before a crashed service is started again; doubles
STABLE_AFTER = 60.0  # seconds of running after which a crash counts as the first one again
ASK_EVERY, UNRESPONSIVE_AFTER = 10.0, 120.0  # seconds; a machine that trains can be slow to answer
LONGEST_LOG = 20 * 1024**2  # bytes; then a service's log begins anew and the one before is kept


@dataclass
class Running:
    """A service and the process that is it at the moment."""

    service: Service
    process: subprocess.Popen[bytes]
    started: float  # monotonic seconds, as are the other times
    back_off: float  # seconds before it is started again, should it end
    restarts: int = 0
    start_again_at: float | None = None  # set while it is down
    last_asked: float = field(default_factory=time.monotonic)
    last_answer: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs the services of one home. Use as a context manager: leaving it stops them all.

    From `start` on `settings` has the ports that are really used, also where 0 (any free one) was asked for. `say` gets
    one sentence per thing that a person watching would want to know.
    """

    def __init__(
        self,
        settings: Settings,
        services: tuple[Service, ...] = SERVICES,
        say: Callable[[str], None] = log.info,
    ) -> None:
        self.services = services
        self.settings = settings
        self._say = say
        self._running: dict[str, Running] = {}
        self._stop_asked = threading.Event()
        self._watcher: threading.Thread | None = None
        self._lock: HomeLock | None = None
        self._held_ports: list[socket.socket] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, timeout: float = 180.0) -> None:
        """Starts every service and returns when all are ready.

        Raises Conflict if the home is in use or a port is taken, Unavailable if a service ends or is not ready
        within `timeout` seconds; nothing is left running then.
        """
        self.settings.paths.create()
        self._lock = HomeLock(self.settings.paths)
        try:
            self.settings, self._held_ports = hold_free_ports(self.settings, self.services)
            self._wait_for_ports()
            for service in self.services:
                process = self._spawn(service)
                self._running[service.name] = Running(service, process, time.monotonic(), FIRST_BACK_OFF)
            self._write_state()
            self._wait_until_ready(timeout)
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._watcher.start()

    def wait(self) -> None:
        """Returns when `ask_to_stop` was called."""
        while not self._stop_asked.wait(0.5):
            pass  # short waits, so that signals are heard at once

    def ask_to_stop(self) -> None:
        self._stop_asked.set()

    def process_id(self, name: str) -> int:
        """The process id of a service now; it changes when the service is started again."""
        return self._running[name].process.pid

    def stop(self, grace: float = 15.0) -> None:
        """Stops all services, those that others lean on last; kills what has not ended after `grace` seconds."""
        self._stop_asked.set()
        if self._watcher:
            self._watcher.join()
            self._watcher = None
        for last in (False, True):
            wave = [one.process for one in self._running.values() if one.service.stops_last is last]
            for process in wave:
                if process.poll() is None:
                    process.terminate()
            deadline = time.monotonic() + grace
            for process in wave:
                stop_by(process, deadline)
        self._running.clear()
        while self._held_ports:
            self._held_ports.pop().close()
        if self._lock:
            self._lock.release()
            self._lock = None

    def kill(self) -> None:
        """Ends all services at once, without giving them time to finish anything."""
        for one in list(self._running.values()):
            if one.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(one.process.pid, signal.SIGKILL)

    def _wait_for_ports(self) -> None:
        deadline = time.monotonic() + PORT_PATIENCE
        for service in self.services:
            while True:
                try:
                    check_port(self.settings, service)
                    break
                except Conflict:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(LOOK_EVERY)

    def _spawn(self, service: Service) -> subprocess.Popen[bytes]:
        path = log_file(self.settings.paths, service.name)
        if path.exists() and path.stat().st_size > LONGEST_LOG:
            path.replace(path.with_suffix(".log.1"))
        return spawn(service.module, log=path, environment=environment(self.settings))

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        for one in self._running.values():
            while not is_healthy(self.settings, one.service, timeout=2.0):
                self._raise_for_ended()
                if self._stop_asked.is_set():
                    raise Unavailable("CLM was asked to stop while it was starting.")
                if time.monotonic() > deadline:
                    path = log_file(self.settings.paths, one.service.name)
                    raise Unavailable(
                        f"The {one.service.name} was not ready after {timeout:.0f} seconds. Its log: {path}."
                    )
                time.sleep(LOOK_EVERY)
            port = port_of(self.settings, one.service)
            self._say(f"{one.service.name} is ready" + (f" on http://{self.settings.host}:{port}" if port else ""))
        self._raise_for_ended()

    def _raise_for_ended(self) -> None:
        for one in self._running.values():
            code = one.process.poll()
            if code is not None:
                path = log_file(self.settings.paths, one.service.name)
                raise Unavailable(
                    f"The {one.service.name} ended while it was starting (exit code {code}). "
                    f"Its log {path} ends with:\n{tail(path)}",
                    service=one.service.name,
                )

    def _watch(self) -> None:
        while not self._stop_asked.wait(LOOK_EVERY):
            for one in self._running.values():
                try:
                    self._look_after(one)
                except OSError as error:  # such as no memory for another process: try again later
                    log.exception("could not look after the %s", one.service.name)
                    self._say(f"The {one.service.name} could not be started: {error}.")
                    one.start_again_at = time.monotonic() + LONGEST_BACK_OFF

    def _look_after(self, one: Running) -> None:
        moment = time.monotonic()
        if one.start_again_at is not None:
            if moment >= one.start_again_at:
                self._start_again(one)
            return
        code = one.process.poll()
        if code is None:
            self._ask_for_health(one, moment)
            return
        if moment - one.started > STABLE_AFTER:
            one.back_off = FIRST_BACK_OFF
        one.start_again_at = moment + one.back_off
        self._say(f"The {one.service.name} ended (exit code {code}); it starts again in {one.back_off:g} s.")
        one.back_off = min(one.back_off * 2, LONGEST_BACK_OFF)

    def _start_again(self, one: Running) -> None:
        one.process = self._spawn(one.service)
        one.started = one.last_asked = one.last_answer = time.monotonic()
        one.start_again_at = None
        one.restarts += 1
        self._write_state()

    def _ask_for_health(self, one: Running, moment: float) -> None:
        if moment - one.last_asked < ASK_EVERY:
            return
        one.last_asked = moment
        if is_healthy(self.settings, one.service, timeout=1.0):
            one.last_answer = moment
        elif moment - one.last_answer > UNRESPONSIVE_AFTER:
            self._say(f"The {one.service.name} has not answered for {UNRESPONSIVE_AFTER:.0f} s; it is stopped.")
            one.process.kill()

    def _write_state(self) -> None:
        if self._lock:
            self._lock.write_state(
                {
                    name: {
                        "pid": one.process.pid,
                        "port": port_of(self.settings, one.service),
                        "restarts": one.restarts,
                    }
                    for name, one in self._running.items()
                }
            )


def run_until_stopped(supervisor: Supervisor, on_ready: Callable[[], None] = lambda: None) -> None:
    """What `clm up` does: start, tell, and stop in order on Ctrl-C or SIGTERM; a second Ctrl-C ends at once."""
    asked_before = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if asked_before.is_set():
            supervisor.kill()
        asked_before.set()
        supervisor.ask_to_stop()

    with _signals(on_signal), supervisor:
        on_ready()
        supervisor.wait()


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def log_file(paths: Paths, name: str) -> Path:
    return paths.logs / f"{name}.log"
