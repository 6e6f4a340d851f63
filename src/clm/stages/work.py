"""What each stage of an update does, with database, files and jobs: a file each. The order is `clm.cycle`'s alone.

Every stage may run twice (a crash can cut it off before its result is remembered), so each is idempotent.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clm.core.clock import now
from clm.errors import Cancelled
from clm.installation import Installation
from clm.records import Evaluation, GateVerdict, Judged, Mixture, Release, Snapshot, Trained
from clm.stages import evaluate, gate, mixture, reject, release, repair, rollout, snapshot, train
from clm.stages.context import Contexts
from clm.stages.outcome import Done, T
from clm.stages.placing import placed, remembered
from clm.updates import log
from clm.updates import service as updates

ROLLOUT_SECONDS = 0.3  # between two looks at a rollout


class Work:
    """The stages of updates on one installation."""

    def __init__(
        self, installation: Installation, wait: Callable[[], None] = lambda: time.sleep(ROLLOUT_SECONDS)
    ) -> None:
        """`wait` is called between two looks at a rollout that somebody else moves, or moves it."""
        self.installation = installation
        self._wait = wait
        self._at = Contexts(installation).of

    def folder(self, update_id: str) -> Path:
        return self.installation.paths.updates / update_id

    def begin(self, update_id: str, stage: str) -> None:
        with self.installation.database.transaction() as session:
            update = updates.get_update(session, update_id)
            if update.state == "cancelling":
                raise Cancelled(f"Cancelled before stage {stage}; the champion was not touched.")
            if update.state == "queued":
                update.state, update.started_at = "running", now()
            updates.begin_stage(session, update, stage)

    def end(self, update_id: str, stage: str, detail: dict[str, Any], message: str) -> None:
        with self.installation.database.transaction() as session:
            update = updates.get_update(session, update_id)
            update.progress = None
            said_no = detail.get("verdict", "pass") != "pass"
            updates.end_stage(session, update, stage, "failed" if said_no else "done", detail)
        log.write(self.folder(update_id), stage, message)

    def snapshot(self, update_id: str) -> Done[Snapshot]:
        return snapshot.pin(self.installation, update_id)

    def mixture(self, update_id: str, pinned: Snapshot) -> Done[Mixture]:
        return self._do(mixture.draw, update_id, pinned)

    def train(self, update_id: str, rows: Mixture) -> Done[Trained]:
        return self._do(train.learn, update_id, rows)

    def evaluate(self, update_id: str, pinned: Snapshot, trained: Trained) -> Done[dict[str, Evaluation]]:
        return self._do(evaluate.examine, update_id, pinned, trained)

    def gate(self, update_id: str, trained: Trained, evaluations: dict[str, Evaluation]) -> Done[GateVerdict]:
        return self._do(gate.decide, update_id, trained, evaluations)

    def can_repair(self, update_id: str, candidate: Judged) -> bool:
        return repair.possible(self._at(update_id), candidate)

    def repair(self, update_id: str, pinned: Snapshot, candidate: Judged) -> Done[Judged]:
        return self._do(repair.repair, update_id, pinned, candidate)

    def reject(self, update_id: str, candidate: Judged) -> str:
        return reject.reject(self._at(update_id), candidate)

    def release(self, update_id: str, pinned: Snapshot, candidate: Judged) -> Done[Release]:
        return self._do(release.release, update_id, pinned, candidate)

    def rollout(self, update_id: str, released: Release) -> Done[list[str]]:
        return rollout.roll_out(self.installation, update_id, released, self._wait)

    def finish(self, update_id: str, state: str, sentence: str) -> str:
        return rollout.finish(self.installation, update_id, state, sentence)

    def _do(self, stage: Callable[..., Done[T]], update_id: str, *arguments: Any) -> Done[T]:
        home = self.installation.paths.home
        result, detail, message = stage(self._at(update_id), *(placed(each, home) for each in arguments))
        return remembered(result, home), detail, message
