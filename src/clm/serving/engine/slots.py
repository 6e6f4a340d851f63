"""The releases that the engine holds, one slot each. A thread follows the routes: loads, keeps warm, unloads."""

import logging
import threading
import time
from dataclasses import dataclass

from clm.core.hashing import short
from clm.errors import ClmError, NotFound, Unavailable
from clm.llm.base import load_base
from clm.llm.router import Router, load_router
from clm.llm.runtime import Runtime
from clm.serving.engine.faults import Fault
from clm.serving.engine.release import ReleaseParts, read_release
from clm.serving.routes import RoutesFile
from clm.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1  # seconds between looks at the routes
GRACE_SECONDS = 60.0  # a release that is no longer named still answers requests that were on their way
TRY_AGAIN_SECONDS = 5.0  # after a failure: someone may restore the files; after each further one twice as long
LONGEST_WAIT = 64  # times as long, for what fails reads and hashes gigabytes


@dataclass(eq=False)
class Slot:
    """One release, ready to answer. Releases of one base share its runtime, equal experts are held once."""

    release_id: str
    base_hash: str
    runtime: Runtime
    experts: dict[str, str]  # task -> expert hash
    router: Router | None
    fault: Fault | None = None
    unnamed_since: float | None = None  # monotonic; set while no route names it


@dataclass(frozen=True)
class _Failure:
    sentence: str
    is_final: bool  # its files are wrong; else it may pass by itself (a full disk, say)
    try_again_at: float  # monotonic
    tries: int = 1


class Slots:
    """Thread-safe. Whoever uses a runtime holds one of `resting`, so that nothing is unloaded under it."""

    def __init__(
        self,
        settings: Settings,
        routes: RoutesFile,
        grace_seconds: float = GRACE_SECONDS,
        try_again_seconds: float = TRY_AGAIN_SECONDS,
    ) -> None:
        self._settings = settings
        self._routes = routes
        self._grace = grace_seconds
        self._try_again = try_again_seconds
        self._slots: dict[str, Slot] = {}
        self._failures: dict[str, _Failure] = {}
        self._runtimes: dict[str, Runtime] = {}
        self._stop = threading.Event()
        self.resting = (threading.Lock(), threading.Lock())  # one for each lane of the scheduler
        self.first_look_done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slots", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def ready(self) -> dict[str, Slot]:
        return dict(self._slots)

    def errors(self) -> dict[str, str]:
        """Why releases can't be loaded. A failure that may pass is not among them."""
        return {release: f.sentence for release, f in dict(self._failures).items() if f.is_final}

    def find(self, release_id: str) -> Slot | None:
        """The slot, or None while it is being loaded. Raises NotFound for a release that no route names, Unavailable
        for one that can't be loaded."""
        slot = self._slots.get(release_id)
        if slot is not None:
            return slot
        failure = self._failures.get(release_id)
        if failure is not None:
            raise Unavailable(failure.sentence)
        if release_id not in self._routes.current().releases:
            raise NotFound(f"The engine does not hold release {short(release_id)}, and no route names it.")
        return None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.follow()
            except Exception:  # the engine must go on serving what it holds
                log.exception("following the routes failed")
            self.first_look_done.set()
            self._stop.wait(LOOK_EVERY)

    def follow(self) -> None:
        """Brings the slots in line with the routes as they are now."""
        named = self._routes.current().releases
        for release_id, base_hash in named.items():
            if release_id in self._slots:
                self._slots[release_id].unnamed_since = None
            elif self._may_try(release_id):
                self._load(release_id, base_hash)
        for release_id in self._failures.keys() - named.keys():
            del self._failures[release_id]
        for slot in list(self._slots.values()):
            if slot.release_id not in named:
                slot.unnamed_since = slot.unnamed_since or time.monotonic()
                if time.monotonic() - slot.unnamed_since >= self._grace:
                    self._unload(slot)

    def _may_try(self, release_id: str) -> bool:
        failure = self._failures.get(release_id)
        return failure is None or time.monotonic() >= failure.try_again_at

    def _load(self, release_id: str, base_hash: str) -> None:
        start = time.monotonic()
        try:
            parts = read_release(self._settings.paths.releases / release_id)
            if parts.base_hash != base_hash:
                raise Unavailable(f"Release {short(release_id)} needs another base than its model has.")
            self._slots[release_id] = self._slot(parts)
        except Exception as error:
            known = isinstance(error, ClmError)
            sentence = error.sentence if isinstance(error, ClmError) else f"{type(error).__name__}: {error}"
            log.error("release %s can't be loaded: %s", short(release_id), sentence, exc_info=not known)
            before = self._failures.get(release_id)
            tries = before.tries + 1 if before else 1
            wait = self._try_again * min(2 ** (tries - 1), LONGEST_WAIT)
            self._failures[release_id] = _Failure(sentence, known, time.monotonic() + wait, tries)
            return
        self._failures.pop(release_id, None)
        log.info("release %s is ready after %.1f s", short(release_id), time.monotonic() - start)

    def _slot(self, parts: ReleaseParts) -> Slot:
        if parts.base_hash not in self._runtimes:
            settings = self._settings
            base = load_base(settings.paths.bases / parts.base_hash, settings.threads, settings.device, settings.dtype)
            self._runtimes[parts.base_hash] = Runtime(base)
        runtime = self._runtimes[parts.base_hash]
        for expert_hash, path in parts.experts.values():
            runtime.load_expert(expert_hash, path)
        router = load_router(parts.router[1], parts.router[0]) if parts.router else None
        experts = {task: expert_hash for task, (expert_hash, _) in parts.experts.items()}
        return Slot(parts.release_id, parts.base_hash, runtime, experts, router)

    def _unload(self, slot: Slot) -> None:
        with self.resting[0], self.resting[1]:
            del self._slots[slot.release_id]
            same_base = [other for other in self._slots.values() if other.runtime is slot.runtime]
            used = {expert for other in same_base for expert in other.experts.values()}
            for expert in set(slot.experts.values()) - used:
                slot.runtime.unload_expert(expert)
            if not same_base:
                del self._runtimes[slot.base_hash]
        log.info("release %s is unloaded", short(slot.release_id))
