"""The embedded runner: DBOS on SQLite (or PostgreSQL). Turns the cycle's stages into durable steps."""

import logging
from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from clm.core import failpoints
from clm.core.caller import Caller
from clm.core.database import Database, sqlite_url
from clm.cycle import update_cycle
from clm.errors import ClmError
from clm.orchestration import log, service
from clm.orchestration.jobs import Cancelled
from clm.orchestration.serialization import JsonSerializer
from clm.orchestration.stages import Work
from clm.records import Evaluation, GateVerdict, Judged, Mixture, Release, Snapshot, Trained
from clm.settings import Settings

WORKER = Caller("worker")
_log = logging.getLogger(__name__)


class DurableStages:
    """`clm.cycle.Stages`: each call is one DBOS step. A step that a crash cut off runs again, so all are idempotent."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def snapshot(self, update_id: str) -> Snapshot:
        return self._step("snapshot", update_id, self._work.snapshot)

    def mixture(self, update_id: str, snapshot: Snapshot) -> Mixture:
        return self._step("mixture", update_id, self._work.mixture, snapshot)

    def train(self, update_id: str, mixture: Mixture) -> Trained:
        return self._step("train", update_id, self._work.train, mixture)

    def evaluate(self, update_id: str, snapshot: Snapshot, trained: Trained) -> dict[str, Evaluation]:
        return self._step("evaluate", update_id, self._work.evaluate, snapshot, trained)

    def gate(self, update_id: str, evaluations: dict[str, Evaluation]) -> GateVerdict:
        return self._step("gate", update_id, self._work.gate, evaluations)

    def repair(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Judged:
        if not self._work.can_repair(update_id, candidate):
            return candidate
        return self._step("repair", update_id, self._work.repair, snapshot, candidate)

    def release(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Release:
        return self._step("release", update_id, self._work.release, snapshot, candidate)

    def rollout(self, update_id: str, release: Release) -> str:
        state, sentence = self._step("rollout", update_id, self._work.rollout, release)
        return DBOS.run_step({"name": "finish"}, self._work.finish, update_id, state, sentence)

    def reject(self, update_id: str, candidate: Judged) -> str:
        return DBOS.run_step({"name": "reject"}, self._work.reject, update_id, candidate)

    def _step(self, name: str, update_id: str, function: Callable[..., Any], *made: Any) -> Any:
        return DBOS.run_step({"name": name}, self._run, name, update_id, function, *made)

    def _run(self, name: str, update_id: str, function: Callable[..., Any], *made: Any) -> Any:
        self._work.begin(update_id, name)
        failpoints.hit(f"{name}.begun")
        result, detail, message = function(update_id, *made)
        failpoints.hit(f"{name}.done")
        self._work.end(update_id, name, detail, message)
        return result


class Runner:
    """Starts updates and takes up the ones that a crash interrupted. One per installation, in the worker."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._database = database
        self._work = Work(settings, database)
        url = sqlite_url(settings.paths.dbos) if settings.database_url is None else settings.database_url
        config: DBOSConfig = {
            "name": "clm",
            "system_database_url": url,
            "serializer": JsonSerializer(),
            "application_version": "2",  # of the cycle's order of steps; raise it when that changes
            "executor_id": "worker",
            "log_level": "WARNING",
        }
        DBOS(config=config)

        @DBOS.workflow(name="update")
        def workflow(update_id: str) -> str:  # a plain function: DBOS marks it, which a bound method does not let it
            return self._run(update_id)

        self._workflow = workflow

    def launch(self) -> None:
        """Opens DBOS's tables and goes on with every update that was under way."""
        DBOS.launch()

    def start(self, update_id: str) -> None:
        """Starts an update; for one that was started before, this does nothing."""
        with SetWorkflowID(update_id):
            DBOS.start_workflow(self._workflow, update_id)

    def close(self) -> None:
        DBOS.destroy(workflow_completion_timeout_sec=0)

    def _run(self, update_id: str) -> str:
        try:
            return update_cycle(DurableStages(self._work), update_id)
        except Cancelled as error:
            return DBOS.run_step({"name": "cancelled"}, self._ended, update_id, "cancelled", error.sentence)
        except ClmError as error:
            return DBOS.run_step({"name": "failed"}, self._ended, update_id, "failed", error.sentence)
        except Exception as error:
            _log.exception("update %s failed", update_id)
            sentence = f"CLM made a mistake ({type(error).__name__}: {error}). The worker's log has the details."
            return DBOS.run_step({"name": "failed"}, self._ended, update_id, "failed", sentence)

    def _ended(self, update_id: str, state: str, outcome: str) -> str:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            for stage in service.stages_of(session, update_id):
                if stage.state == "running":
                    service.end_stage(session, update, stage.name, "failed", {"reason": outcome})
            service.finish(session, WORKER, update, state, outcome)
        log.write(self._work.folder(update_id), None, outcome, "error" if state == "failed" else "warning")
        return state
