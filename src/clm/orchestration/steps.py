"""An update from its first stage to its end, over `clm.stages.work`; `step` says how each stage is run.

The worker runs each as a durable step of DBOS (`clm.orchestration.embedded`); tests and notebooks run them one after
the other in their own process (`clm.orchestration.inline`).
"""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from clm.core import failpoints
from clm.core.caller import WORKER
from clm.cycle import update_cycle
from clm.errors import Cancelled, ClmError
from clm.records import Evaluation, GateVerdict, Judged, Mixture, Release, Snapshot, Trained
from clm.stages.work import Work
from clm.updates import log
from clm.updates import repository as update_rows
from clm.updates import service as updates

_log = logging.getLogger(__name__)


class RunStep(Protocol):
    def __call__(self, name: str, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Returns what `function` makes of the arguments."""
        ...


class SteppedStages:
    """`clm.cycle.Stages`: each call is one step. A step that a crash cut off runs again, so all are idempotent."""

    def __init__(self, work: Work, step: RunStep) -> None:
        self._work = work
        self._run_step = step

    def snapshot(self, update_id: str) -> Snapshot:
        return self._step("snapshot", update_id, self._work.snapshot)

    def mixture(self, update_id: str, snapshot: Snapshot) -> Mixture:
        return self._step("mixture", update_id, self._work.mixture, snapshot)

    def train(self, update_id: str, mixture: Mixture) -> Trained:
        return self._step("train", update_id, self._work.train, mixture)

    def evaluate(self, update_id: str, snapshot: Snapshot, trained: Trained) -> dict[str, Evaluation]:
        return self._step("evaluate", update_id, self._work.evaluate, snapshot, trained)

    def gate(self, update_id: str, trained: Trained, evaluations: dict[str, Evaluation]) -> GateVerdict:
        return self._step("gate", update_id, self._work.gate, trained, evaluations)

    def repair(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Judged:
        if not self._work.can_repair(update_id, candidate):
            return candidate
        return self._step("repair", update_id, self._work.repair, snapshot, candidate)

    def release(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Release:
        return self._step("release", update_id, self._work.release, snapshot, candidate)

    def rollout(self, update_id: str, release: Release) -> str:
        state, sentence = self._step("rollout", update_id, self._work.rollout, release)
        return self._run_step("finish", self._work.finish, update_id, state, sentence)

    def reject(self, update_id: str, candidate: Judged) -> str:
        return self._run_step("reject", self._work.reject, update_id, candidate)

    def _step(self, name: str, update_id: str, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._run_step(name, self._run, name, update_id, function, *arguments)

    def _run(self, name: str, update_id: str, function: Callable[..., Any], *arguments: Any) -> Any:
        self._work.begin(update_id, name)
        failpoints.hit(f"{name}.begun")
        result, detail, message = function(update_id, *arguments)
        failpoints.hit(f"{name}.done")
        self._work.end(update_id, name, detail, message)
        return result


def run_to_its_end(work: Work, update_id: str, step: RunStep) -> str:
    """Runs the cycle and returns how it ended; what can't be done ends the update too, with a sentence."""

    def ended(state: str, outcome: str) -> str:
        with work.installation.database.transaction() as session:
            update = updates.get_update(session, update_id)
            for stage in update_rows.stages_of(session, update_id):
                if stage.state == "running":
                    updates.end_stage(session, update, stage.name, "failed", {"reason": outcome})
            updates.finish(session, WORKER, update, state, outcome)
        log.write(work.folder(update_id), None, outcome, "error" if state == "failed" else "warning")
        return state

    try:
        return update_cycle(SteppedStages(work, step), update_id)
    except Cancelled as error:
        return step("cancelled", ended, "cancelled", error.sentence)
    except ClmError as error:
        return step("failed", ended, "failed", error.sentence)
    except Exception as error:
        _log.exception("update %s failed", update_id)
        sentence = f"CLM made a mistake ({type(error).__name__}: {error}). The worker's log has the details."
        return step("failed", ended, "failed", sentence)
