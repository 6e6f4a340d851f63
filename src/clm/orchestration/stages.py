"""What each stage of an update does, with database, files and jobs. The order is `clm.cycle`'s alone.

Every method may run twice (a crash can cut it off before its result is remembered), so each is idempotent. Each
returns its result, a detail for the dashboard and a sentence for the log.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.database import Database
from clm.core.hashing import short
from clm.deployment import repository as rollouts
from clm.deployment import routes
from clm.deployment import service as deployment
from clm.errors import Cancelled, TamperedArtifact
from clm.evaluation import repository as ledger
from clm.ingest import conflicts, holding
from clm.orchestration import log, repair_plan, service
from clm.orchestration.bests import save_untouched
from clm.orchestration.bundling import bundle_spec, describe
from clm.orchestration.candidates import Candidates
from clm.orchestration.compositions import scores_of
from clm.orchestration.fitting import sentence, told
from clm.orchestration.repair import Repair
from clm.orchestration.replaying import share_of
from clm.policies import ModelPolicy
from clm.records import Evaluation, GateVerdict, Judged, Mixture, Release, Snapshot, Trained
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.settings import Settings
from clm.store.store import Store

WORKER = Caller("worker")
ROLLOUT_SECONDS = 0.3  # between two looks at a rollout
T = TypeVar("T")
Done = tuple[T, dict[str, Any], str]  # result, detail, sentence


class Work:
    """The stages of updates on one installation."""

    def __init__(
        self, settings: Settings, database: Database, wait: Callable[[], None] = lambda: time.sleep(ROLLOUT_SECONDS)
    ) -> None:
        """`wait` is called between two looks at a rollout that somebody else moves, or moves it."""
        self._settings = settings
        self._wait = wait
        self._paths = settings.paths
        self._database = database
        self._store = Store(settings.paths.data)
        self._candidates = Candidates(settings, database)
        self._repair = Repair(settings, database, self._candidates)

    def folder(self, update_id: str) -> Path:
        return self._paths.updates / update_id

    def begin(self, update_id: str, stage: str) -> None:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            if update.state == "cancelling":
                raise Cancelled(f"Cancelled before stage {stage}; the champion was not touched.")
            if update.state == "queued":
                update.state, update.started_at = "running", now()
            service.begin_stage(session, update, stage)

    def end(self, update_id: str, stage: str, detail: dict[str, Any], message: str) -> None:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            update.progress = None
            said_no = detail.get("verdict", "pass") != "pass"
            service.end_stage(session, update, stage, "failed" if said_no else "done", detail)
        log.write(self.folder(update_id), stage, message)

    def snapshot(self, update_id: str) -> Done[Snapshot]:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            update.champion = rollouts.get_deployment(session, update.model).champion
            if update.slice is None:  # once, however often this stage is begun
                update.slice = catalog.close_slice(session, update.model, update.task)
            model, task = update.model, update.task
            closed = {each.name: each.open_slice - 1 for each in catalog.list_tasks(session, model, removed=True)}
            pinned = conflicts.pins(session, model)
            suite = ModelPolicy.model_validate(update.policy).suite
        bounds = (suite.slice_rows, suite.rows)
        snapshot = replace(self._store.snapshot(model, **pinned, bounds=bounds), closed=closed)
        rows, held_out = snapshot.counts.get(task, 0), snapshot.suites.get(task, 0)
        detail: dict[str, Any] = {"tables": snapshot.tables, "rows": rows, "suite": held_out, "slice": closed[task],
                                  "slices": snapshot.slices.get(task, {})}  # fmt: skip
        message = f"Pinned {snapshot.tables}: task {task} has {rows} rows, {held_out} held out."
        if task in snapshot.renewed:
            detail["renewed"] = snapshot.renewed[task]
            message += f" {snapshot.renewed[task]}"
        return snapshot, detail, message

    def mixture(self, update_id: str, snapshot: Snapshot) -> Done[Mixture]:
        at = self._candidates.context(update_id)
        mixture = self._candidates.mix(at, snapshot, share_of(at.policy.training), at.folder / "mixture.parquet")
        held = len(set(mixture.left_out).difference(mixture.dropped, mixture.unfit)) - mixture.undecided
        detail = {"new": mixture.new_rows, "replay": mixture.replay_rows, "held_out": mixture.held_out,
                  "held": held, "superseded": mixture.superseded, "undecided": mixture.undecided,
                  "dropped": len(mixture.dropped), "unfit": len(mixture.unfit),
                  "left_out": told(mixture.unfit), "replayed": mixture.replayed, "memory_policy": mixture.memory_policy,
                  "memory_rows": mixture.memory_rows, "answers": mixture.answers}  # fmt: skip
        more = f", {held} held after a rejection" if held else ""
        more += f", {len(mixture.dropped)} dropped" if mixture.dropped else ""
        more += f", {mixture.superseded} superseded by newer answers" if mixture.superseded else ""
        more += f", {mixture.undecided} contradict others and wait for a person" if mixture.undecided else ""
        message = (f"{mixture.new_rows} new rows and {mixture.replay_rows} replayed; {mixture.held_out} kept out "
                   f"(suite){more}." + sentence(mixture.unfit, "can't be trained on and were"))  # fmt: skip
        fitness = self._candidates.fitness(at)
        message += f" {fitness}" if isinstance(fitness, str) else ""
        if at.removes:
            message = f"Task {at.task} is taken out: nothing is learnt, so no row is needed."
        return mixture, detail, message

    def train(self, update_id: str, mixture: Mixture) -> Done[Trained]:
        at = self._candidates.context(update_id)
        start = at.champion.experts.get(at.task)
        trained = self._candidates.train(at, mixture, at.folder / "train")
        if at.removes:
            kept = {"router": trained.composition.router_hash, "experts": sorted(trained.composition.experts)}
            message = f"The router is fitted again without {at.task} in {trained.seconds:.0f} s; experts stay."
            return trained, kept | {"removed": at.task, "seconds": round(trained.seconds, 1)}, message
        detail = {"expert": trained.expert_hash, "router": trained.composition.router_hash, "steps": trained.steps,
                  "tokens": trained.tokens, "seconds": round(trained.seconds, 1), "loss": trained.final_loss,
                  "started_from": start[0] if start else "fresh"}  # fmt: skip
        length = trained.notes["length"]
        detail |= {"stopped": length["stopped"], "still_falling": length["still_falling"], "looks": length["looks"]}
        if trained.choice:
            detail |= {"started_from": trained.choice["started_from"], "choice": trained.choice}
        if trained.transfer:
            detail |= {"started_from": trained.transfer["started_from"], "transfer": trained.transfer}
        message = (f"Expert {short(trained.expert_hash)} after {trained.steps} steps in {trained.seconds:.0f} s, "
                   f"loss {trained.final_loss:.3f}; it ended because {length['stopped']}."
                   + (f" {trained.choice['reason']}" if trained.choice else ""))  # fmt: skip
        return trained, detail, message

    def evaluate(self, update_id: str, snapshot: Snapshot, trained: Trained) -> Done[dict[str, Evaluation]]:
        at = self._candidates.context(update_id)
        evaluations = self._candidates.evaluate(at, snapshot, trained, at.folder / "evaluate")
        scores = scores_of(evaluations)
        reused = sum(s.reused for e in evaluations.values() for s in e.scores.values())
        shown = ", ".join(f"{t} {s:.2f}" for t, s in scores["candidate"].items())
        unfit = evaluations["candidate"].left_out
        detail = {**scores, "reused": reused, "unfit": len(unfit), "left_out": told(unfit)}
        message = f"Candidate: {shown} ({reused} answers reused)."
        return evaluations, detail, message + sentence(unfit, "held-out examples can't be asked and were")

    def gate(self, update_id: str, trained: Trained, evaluations: dict[str, Evaluation]) -> Done[GateVerdict]:
        verdict = self._candidates.judge(self._candidates.context(update_id), trained, evaluations)
        with self._database.transaction() as session:
            service.get_update(session, update_id).verdict = service.verdict_to_json(verdict)
        return verdict, {"verdict": verdict.verdict, "reason": verdict.reason}, f"{verdict.verdict}: {verdict.reason}"

    def can_repair(self, update_id: str, candidate: Judged) -> bool:
        return self._repair.possible(self._candidates.context(update_id), candidate)

    def repair(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Done[Judged]:
        at = self._candidates.context(update_id)
        repaired = self._repair.run(at, snapshot, candidate)
        story = repair_plan.story(at.task, repaired.tries)
        with self._database.transaction() as session:
            service.get_update(session, update_id).verdict = service.verdict_to_json(repaired.verdict)
        detail = {"verdict": repaired.verdict.verdict, "tries": len(repaired.tries), "reason": story}
        return repaired, detail, story

    def reject(self, update_id: str, candidate: Judged) -> str:
        verdict = candidate.verdict
        state = "rejected" if verdict.verdict == "fail" else "inconclusive"
        known = self._candidates.known_slices(self._candidates.context(update_id))
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            scores = candidate.evaluations["candidate"].scores
            ledger.save_scores(session, update.model, update_id, None, scores, known)
            tries = f" {repair_plan.story(update.task, candidate.tries)}" if candidate.tries else ""
            # Where nothing was lost, as after an inconclusive gate, nothing is known to be wrong with the rows.
            if state == "rejected" and not verdict.learned_nothing:
                holding.hold(session, WORKER, update_id=update_id, model=update.model, task=update.task,
                             batches=candidate.mixture.batches, reason=verdict.reason)  # fmt: skip
            service.finish(session, WORKER, update, state, verdict.reason + tries)
        log.write(self.folder(update_id), None, f"{state}; the champion stays.", "warning")
        return state

    def release(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Done[Release]:
        at = self._candidates.context(update_id)
        with self._database.read() as session:
            model = catalog.get_model(session, snapshot.model)
        # Verified when the update began, and again now that parts of it go under a new signature.
        bundles.verify_bundle(self._paths.releases / at.champion.release_id, self._paths.keys)
        lineage = describe(snapshot, candidate, at.policy, at.champion, self._paths)
        memory, known = self._candidates.remember(at, snapshot, candidate), self._candidates.known_slices(at)
        spec = bundle_spec(self._paths, model, at.champion, candidate, at.policy, lineage, memory)
        made = bundles.write_bundle(spec, self._paths.releases, self._paths.keys)
        if bundles.composition_of(made.manifest) != candidate.trained.composition:
            raise TamperedArtifact("What was bundled is not what was evaluated: an expert or the router was changed.")
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            release = registry.register(
                session, WORKER, made, model=snapshot.model, parent=at.champion.release_id, update_id=update_id
            )
            scores = {name: evaluation.scores for name, evaluation in candidate.evaluations.items()}
            ledger.save_scores(session, snapshot.model, None, at.champion.release_id, scores["champion"], known)
            ledger.save_scores(session, snapshot.model, update_id, release.release_id, scores["candidate"], known)
            save_untouched(session, snapshot.model, candidate.evaluations)
            update.release_id = release.release_id
        detail = {"release": release.release_id, "number": release.number, "task": at.task}
        return release, detail, f"Release v{release.number} ({short(release.release_id)}) signed and registered."

    def rollout(self, update_id: str, release: Release) -> Done[list[str]]:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            policy = ModelPolicy.model_validate(update.policy).rollout
            rollout = deployment.start_rollout(session, WORKER, release, policy, update_id)
            rollout_id = update.rollout_id = rollout.id
        routes.project_routes(self._database, self._settings)
        log.write(self.folder(update_id), "rollout", f"{policy.kind} rollout of v{release.number} begins.")
        state, reason = self._await_rollout(update_id, rollout_id)
        outcome = ["succeeded" if state == "promoted" else "rolled-back", f"v{release.number}: {reason}"]
        return outcome, {"rollout": rollout_id, "state": state, "reason": reason}, f"Rollout {state}: {reason}"

    def finish(self, update_id: str, state: str, sentence: str) -> str:
        """Ends an update whose stages are all done."""
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            service.finish(session, WORKER, update, state, sentence)
            if update.kind == "remove" and state == "succeeded":
                catalog.mark_removed(session, WORKER, update.model, update.task)
        return state

    def _await_rollout(self, update_id: str, rollout_id: str) -> tuple[str, str]:
        """Waits for `clm.orchestration.delivery` or a person to end it, and logs each verdict on the way."""
        told = 0
        while True:
            with self._database.read() as session:
                rollout = rollouts.get_rollout(session, rollout_id)
            for verdict in rollout.verdicts[told:]:
                log.write(self.folder(update_id), "rollout", f"{verdict['verdict']}: {verdict['reason']}")
            told = len(rollout.verdicts)
            if rollout.finished_at is not None:
                return rollout.state, rollout.reason or "no reason given"
            self._wait()
