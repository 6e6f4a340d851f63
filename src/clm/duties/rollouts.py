"""Watches rollouts: is the candidate loaded and answering as evaluated, what does the traffic say, what follows."""

import logging
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Thread

from clm.core.caller import WORKER
from clm.core.clock import now
from clm.core.running import read_state
from clm.deployment import repository as deployments
from clm.deployment import service as deployment
from clm.deployment.tables import RolloutRow
from clm.deployment.targets import targets
from clm.duties.duty import Duty, Start, nothing_to_run
from clm.evaluation.answers import has_answers, probes
from clm.installation import Installation
from clm.monitoring import repository as monitoring
from clm.records import kept_try
from clm.serving.engines.engine import EngineControl, EngineFailed, NoEngine, Question
from clm.serving.engines.engines import control_of
from clm.stages import repair_plan
from clm.updates import service as updates

PATIENCE = 0.5  # seconds for an answer, before the next rollout is looked at
PROBES = 8  # answers compared before a candidate gets traffic
_log = logging.getLogger(__name__)


class Rollouts(Duty):
    """One `tick` looks at every rollout under way. Remembers only what it has proven already."""

    def __init__(self, on: Installation, start: Start = nothing_to_run, engine: EngineControl | None = None) -> None:
        super().__init__(on, start)
        self._engine = engine or control_of(on.settings)
        self._ready: set[str] = set()  # rollouts whose candidate has shown parity
        # An engine may take minutes over an answer; no other rollout waits for that, least of all to go back.
        self._asking: dict[str, Future[tuple[bool, str | None]]] = {}  # by rollout

    def tick(self) -> None:
        # Whoever committed a move may have been killed before it told serving.
        self._engine.hold(targets.reconcile(self.on.database, self.on.settings).releases)
        with self.on.database.read() as session:
            rollouts = deployments.rollouts_under_way(session)
        for rollout in rollouts:
            self._advance(rollout)

    def _advance(self, rollout: RolloutRow) -> None:
        ready, objection = self._readiness(rollout)
        with self.on.database.transaction() as session:
            candidate = monitoring.window(session, rollout.release_id, rollout.step_started_at)
            baseline = monitoring.window(session, rollout.baseline, rollout.step_started_at)
            deployment.tick(session, WORKER, rollout.id, candidate, baseline, ready, now(), objection)
        targets.reconcile(self.on.database, self.on.settings)

    def _readiness(self, rollout: RolloutRow) -> tuple[bool, str | None]:
        """Whether the candidate may get traffic, or a sentence why it never will."""
        if rollout.state != "waiting" or rollout.id in self._ready:
            return True, None
        asking = self._asking.get(rollout.id) or self._start_asking(rollout)
        self._asking[rollout.id] = asking
        if not wait([asking], timeout=PATIENCE).done:
            return False, None
        del self._asking[rollout.id]
        try:
            ready, objection = asking.result()
        except (NoEngine, EngineFailed) as error:
            _log.warning("the engine does not answer, rollout %s waits: %s", rollout.id, error)
            return False, None
        if ready:
            self._ready.add(rollout.id)
        return ready, objection

    def _start_asking(self, rollout: RolloutRow) -> Future[tuple[bool, str | None]]:
        """In a thread that keeps no process from ending."""
        asking: Future[tuple[bool, str | None]] = Future()

        def ask() -> None:
            try:
                asking.set_result(self._ask(rollout))
            except Exception as error:
                asking.set_exception(error)

        Thread(target=ask, name=f"readiness of {rollout.id}", daemon=True).start()
        return asking

    def _ask(self, rollout: RolloutRow) -> tuple[bool, str | None]:
        # Where services are started one by one nothing lists them: then an engine that knows the champion is ours.
        must_be_served = rollout.kind != "blue-green" or self._is_listed()
        try:
            held = self._engine.held()
        except NoEngine:
            if must_be_served:
                raise
            return True, None  # no engine runs on this home; it verifies the bundle when it starts
        if not must_be_served and rollout.baseline not in held.known:
            return True, None
        if rollout.release_id in held.errors:
            return False, f"the engine refused the release: {held.errors[rollout.release_id]}"
        if rollout.release_id not in held.ready:
            return False, None
        objection = self._parity(rollout)
        return objection is None, objection

    def _is_listed(self) -> bool:
        state = read_state(self.on.paths)
        return state is not None and "engine" in state["services"]

    def _parity(self, rollout: RolloutRow) -> str | None:
        """Compares what the engine answers with what the gate evaluated, prompt by prompt."""
        if rollout.update_id is None:  # a release from before, moved by hand: it has served already
            return None
        evaluated = self._evaluated_in(rollout.update_id)
        if not has_answers(evaluated):
            return f"parity can't be checked: the answers that the gate evaluated are missing in {evaluated.name}"
        expected = probes(evaluated, PROBES)
        asked = [Question(probe.shape, probe.content, probe.max_new_tokens) for probe in expected]
        for probe, got in zip(expected, self._engine.probe(rollout.release_id, asked), strict=True):
            if got.text != probe.answer or got.expert != probe.routed:
                return (f"parity check failed: the engine answered {got.text!r} ({got.expert}) where the gate "
                        f"had evaluated {probe.answer!r} ({probe.routed})")  # fmt: skip
        return None

    def _evaluated_in(self, update_id: str) -> Path:
        """Where the answers of the update's candidate lie: a repaired one was evaluated in its try's folder."""
        with self.on.database.read() as session:
            kept = kept_try(updates.tries_of(updates.get_update(session, update_id)))
        folder = self.on.paths.updates / update_id
        return (folder if kept is None else repair_plan.folder_of(folder, kept)) / "evaluate"

    def close(self) -> None:
        self._engine.close()
