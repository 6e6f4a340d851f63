"""Notes what experts learned from whose releases were registered before that was noted: reads their bundles once."""

import logging

from clm.duties.duty import Duty, Start, nothing_to_run
from clm.errors import ClmError
from clm.installation import Installation
from clm.registry import service as registry
from clm.registry.bundle import read_taught

_log = logging.getLogger(__name__)


class Lessons(Duty):
    def __init__(self, on: Installation, start: Start = nothing_to_run) -> None:
        super().__init__(on, start)
        self._damaged: set[tuple[str, str]] = set()  # release and expert; tried again after a restart

    def tick(self) -> None:
        with self.on.database.read() as session:
            missing = registry.without_lesson(session)
        for one in missing:
            if (one.release_id, one.expert) in self._damaged:
                continue
            try:
                taught = read_taught(self.on.paths.releases / one.release_id, one.expert, one.lesson_hash)
            except (ClmError, OSError, ValueError, KeyError) as error:
                _log.warning("it is not known what expert %s of a release learned from: %s", one.expert, error)
                self._damaged.add((one.release_id, one.expert))
                continue
            with self.on.database.transaction() as session:
                registry.note_lesson(session, one.lesson_hash, taught)
