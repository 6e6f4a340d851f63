"""The worker: `python -m clm.worker`. Runs updates, watches triggers, folders and rollouts.

Everything it knows lies in the databases: killed at any moment and started again, it goes on where it was.
"""

import logging
import os
import signal
import threading

from clm.core import logs
from clm.core.caller import WORKER
from clm.duties.duties import DUTIES
from clm.duties.duty import Duty
from clm.ingest import service as ingest
from clm.installation import open_home
from clm.orchestration.embedded import Runner
from clm.settings import Settings

_log = logging.getLogger(__name__)


class Worker:
    def __init__(self, settings: Settings) -> None:
        self._on = open_home(settings)
        self._runner = Runner(self._on)
        self._stop = threading.Event()

    def run(self) -> None:
        """Works until `stop` is called, from a signal or another thread."""
        ingest.recover(self._on.intake(WORKER))
        self._runner.launch()
        duties = [(kind(self._on, self._runner.start), seconds) for kind, seconds in DUTIES.values()]
        threads = [threading.Thread(target=self._repeat, args=duty, daemon=True) for duty in duties]
        for thread in threads:
            thread.start()
        _log.info("the worker is ready")
        self._stop.wait()
        for thread in threads:
            thread.join(timeout=5)
        self._runner.close()
        for duty, _ in duties:
            duty.close()

    def stop(self) -> None:
        self._stop.set()

    def _repeat(self, duty: Duty, seconds: float) -> None:
        """A duty that fails is logged and tried again: one broken folder must not stop the rollouts."""
        while not self._stop.wait(seconds):
            try:
                duty.tick()
            except Exception:
                _log.exception("%s of the worker failed; it is tried again", type(duty).__name__)


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
