"""Keeps the MLflow mirror up to date, beside the cycle: no release and no rollback ever waits for the tracker."""

import logging
import time

from clm.core.caller import WORKER
from clm.deployment import repository as deployments
from clm.duties.duty import Duty, Start, nothing_to_run
from clm.installation import Installation
from clm.registry import service as registry
from clm.registry import tracker

RETRY_SECONDS = 30.0
_log = logging.getLogger(__name__)


class Tracking(Duty):
    def __init__(self, on: Installation, start: Start = nothing_to_run) -> None:
        super().__init__(on, start)
        self._aliases: dict[str, tuple[str, str | None]] = {}  # as the tracker has them
        self._not_before = 0.0

    def tick(self) -> None:
        """Mirrors releases that the tracker does not know yet, then the aliases that moved."""
        if time.monotonic() < self._not_before:
            return
        problem = self._mirror_releases() or self._mirror_aliases()
        if problem:
            _log.warning("%s It is tried again in %.0f s.", problem, RETRY_SECONDS)
            self._not_before = time.monotonic() + RETRY_SECONDS

    def _mirror_releases(self) -> str | None:
        with self.on.database.read() as session:
            rows = registry.not_mirrored(session)
        for row in rows:
            mirrored = tracker.mirror_release(self.on.settings, registry.as_release(row))
            if mirrored.version is None:
                return mirrored.problem
            with self.on.database.transaction() as session:
                registry.note_mlflow_version(session, WORKER, row.id, mirrored.version)
        return None

    def _mirror_aliases(self) -> str | None:
        with self.on.database.read() as session:
            rows = deployments.list_deployments(session)
        for row in rows:
            wanted = (row.champion, row.candidate)
            if self._aliases.get(row.model) == wanted:
                continue
            problem = tracker.mirror_aliases(
                self.on.settings, row.model, champion=row.champion, challenger=row.candidate
            )
            if problem:
                return problem
            self._aliases[row.model] = wanted
        return None
