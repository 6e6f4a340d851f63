"""The worker: `python -m clm.worker`. Runs updates, watches triggers, folders and rollouts.

Everything it knows lies in the databases: killed at any moment and started again, it goes on where it was.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable

from clm.audit import heads
from clm.core import logs
from clm.core.caller import Caller
from clm.core.database import Database
from clm.ingest import service as ingest
from clm.ingest.sources import folder
from clm.orchestration import service, triggers
from clm.orchestration.delivery import Delivery
from clm.orchestration.embedded import Runner
from clm.orchestration.tracking import Tracking
from clm.settings import Settings
from clm.store.store import Store

WORKER = Caller("worker")
ANCHOR_SECONDS = 900.0  # between two signed heads of the audit chain
_log = logging.getLogger(__name__)


class Worker:
    def __init__(self, settings: Settings) -> None:
        settings.paths.create()
        self._settings = settings
        self._database = Database(settings.database)
        self._database.migrate()
        self._store = Store(settings.paths.data)
        self._delivery = Delivery(settings, self._database)
        self._runner = Runner(settings, self._database)
        self._tracking = Tracking(settings, self._database)
        self._stop = threading.Event()

    def run(self) -> None:
        """Works until `stop` is called, from a signal or another thread."""
        ingest.recover(self._database, self._store, self._settings, WORKER)
        self._runner.launch()
        duties: list[tuple[Callable[[], object], float]] = [
            (self._start_queued, 0.5),
            (self._delivery.tick, 0.5),
            (self._take_from_folders, 1.0),
            (lambda: triggers.fire(self._database, self._store), 1.0),
            (self._tracking.tick, 2.0),
            (self._anchor_audit, ANCHOR_SECONDS),
        ]
        threads = [threading.Thread(target=self._repeat, args=duty, daemon=True) for duty in duties]
        for thread in threads:
            thread.start()
        _log.info("the worker is ready")
        self._stop.wait()
        for thread in threads:
            thread.join(timeout=5)
        self._runner.close()
        self._delivery.close()

    def stop(self) -> None:
        self._stop.set()

    def _repeat(self, duty: Callable[[], object], seconds: float) -> None:
        """A duty that fails is logged and tried again: one broken folder must not stop the rollouts."""
        while not self._stop.wait(seconds):
            try:
                duty()
            except Exception:
                _log.exception("a duty of the worker failed; it is tried again")

    def _take_from_folders(self) -> None:
        folder.scan(self._database, self._store, self._settings, WORKER)

    def _anchor_audit(self) -> None:
        heads.anchor(self._database, self._settings.paths)

    def _start_queued(self) -> None:
        """Starts the oldest waiting update of each model that has none running."""
        with self._database.read() as session:
            waiting = service.list_updates(session, state="queued", limit=1000)
            next_up = {u.model: u for u in waiting}  # newest first, so the oldest stays
            busy = {m for m in next_up if any(u.state != "queued" for u in service.under_way(session, m))}
        for model, update in next_up.items():
            if model not in busy:
                self._runner.start(update.id)


def main() -> None:
    logs.configure()
    worker = Worker(Settings.load())
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: worker.stop())
    worker.run()
    logging.shutdown()
    os._exit(0)  # an update under way is taken up at the next start; waiting for its thread would hold up the stop


if __name__ == "__main__":
    main()
