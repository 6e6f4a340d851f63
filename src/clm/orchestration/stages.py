"""What each stage of an update does, with database, files and jobs. The order is `clm.cycle`'s alone.

Every method may run twice (a crash can cut it off before its result is remembered), so each is idempotent. Each
returns its result, a detail for the dashboard and a sentence for the log.
"""

import time
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
from clm.errors import InvalidInput, TamperedArtifact
from clm.evaluation import gate
from clm.evaluation import repository as ledger
from clm.evaluation.answers import example_scores
from clm.orchestration import jobs, log, service
from clm.orchestration.bundling import bundle_spec, describe
from clm.policies import ModelPolicy
from clm.records import Composition, Evaluation, GateVerdict, Mixture, Release, Snapshot, TaskScore, Trained
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.settings import Settings
from clm.store.store import Store

WORKER = Caller("worker")
T = TypeVar("T")
Done = tuple[T, dict[str, Any], str]  # result, detail, sentence


class Work:
    """The stages of updates on one installation."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._paths = settings.paths
        self._database = database
        self._store = Store(settings.paths.data)

    def folder(self, update_id: str) -> Path:
        return self._paths.updates / update_id

    def begin(self, update_id: str, stage: str) -> None:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            if update.state == "cancelling":
                raise jobs.Cancelled(f"Cancelled before stage {stage}; the champion was not touched.")
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
            catalog.close_suite(session, update.model, update.task)
            model, task = update.model, update.task
        snapshot = self._store.snapshot(model)
        rows, held_out = snapshot.counts.get(task, 0), snapshot.suites.get(task, 0)
        detail = {"tables": snapshot.tables, "rows": rows, "suite": held_out}
        return snapshot, detail, f"Pinned {snapshot.tables}: task {task} has {rows} rows, {held_out} held out."

    def mixture(self, update_id: str, snapshot: Snapshot) -> Done[Mixture]:
        task, policy, champion = self._task_policy_champion(update_id)
        lineage = bundles.read_lineage(self._paths.releases / champion.release_id).get(task)
        mixture = self._store.build_mixture(
            snapshot,
            task,
            since=lineage["snapshot"]["tables"]["records"] if lineage else None,
            replay_share=policy.training.replay_share,
            seed=policy.training.seed,
            out=self.folder(update_id) / "mixture.parquet",
        )
        detail = {"new": mixture.new_rows, "replay": mixture.replay_rows, "held_out": mixture.held_out}
        message = (
            f"{mixture.new_rows} new rows and {mixture.replay_rows} replayed; {mixture.held_out} kept out (suite)."
        )
        return mixture, detail, message

    def train(self, update_id: str, mixture: Mixture) -> Done[Trained]:
        task, policy, champion = self._task_policy_champion(update_id)
        start = champion.experts.get(task)
        job = {
            "base": str(self._paths.bases / champion.base_hash),
            "base_hash": champion.base_hash,
            "task": task,
            "mixture": mixture.path,
            "policy": policy.training.model_dump(mode="json"),
            "init_expert": str(start[1]) if start else None,
            "other_experts": {name: expert for name, (expert, _) in champion.experts.items() if name != task},
            "other_features": {name: str(path) for name, (_, path) in champion.features.items() if name != task},
            "experts_dir": str(self._paths.experts),
            "features_dir": str(self._paths.features),
            "routers_dir": str(self._paths.routers),
            "threads": self._settings.threads,
        }
        made = jobs.run_job(self._database, update_id, self.folder(update_id) / "train", "clm.training.job", job)
        experts = {name: expert for name, (expert, _) in champion.experts.items()} | {task: made["expert_hash"]}
        trained = Trained(
            composition=Composition(champion.base_hash, dict(sorted(experts.items())), made["router_hash"]),
            task=task,
            expert_hash=made["expert_hash"],
            features_hash=made["features_hash"],
            steps=made["steps"],
            tokens=made["tokens"],
            seconds=made["seconds"],
            final_loss=made["final_loss"],
        )
        detail = {"expert": trained.expert_hash, "router": made["router_hash"], "steps": trained.steps,
                  "tokens": trained.tokens, "seconds": round(trained.seconds, 1), "loss": trained.final_loss,
                  "started_from": start[0] if start else "fresh"}  # fmt: skip
        message = (f"Expert {short(trained.expert_hash)} after {trained.steps} steps in {trained.seconds:.0f} s, "
                   f"loss {trained.final_loss:.3f}.")  # fmt: skip
        return trained, detail, message

    def evaluate(self, update_id: str, snapshot: Snapshot, trained: Trained) -> Done[dict[str, Evaluation]]:
        task, policy, champion = self._task_policy_champion(update_id)
        folder = self.folder(update_id)
        learnt = set(trained.composition.experts)
        missing = sorted(name for name in learnt if not snapshot.suites.get(name))
        if missing:
            raise InvalidInput(f"Task {missing[0]!r} has no suite; give it one: clm ingest FILE --task … --suite.")
        with self._database.read() as session:
            tasks = catalog.list_tasks(session, snapshot.model)
        where = {name: path for name, (_, path) in champion.experts.items()}
        where[task] = self._paths.experts / trained.expert_hash
        router = trained.composition.router_hash
        job = {
            "base": str(self._paths.bases / champion.base_hash),
            "base_hash": champion.base_hash,
            "compositions": {
                "champion": _as_job(
                    champion.composition,
                    where={n: p for n, (_, p) in champion.experts.items()},
                    router=champion.router[1] if champion.router else None,
                ),
                "candidate": _as_job(
                    trained.composition, where, router=self._paths.routers / router if router else None
                ),
            },
            "suites": str(self._store.write_suites(snapshot, folder / "suites.parquet", tasks=sorted(learnt))),
            "metrics": {t.name: t.metric for t in tasks if t.name in learnt},
            "max_new_tokens": policy.generation.max_new_tokens,
            "answers_dir": str(self._paths.answers),
            "threads": self._settings.threads,
        }
        made = jobs.run_job(self._database, update_id, folder / "evaluate", "clm.evaluation.job", job)
        compositions = {"champion": champion.composition, "candidate": trained.composition}
        evaluations = {
            name: Evaluation(
                composition, {t: TaskScore(**s) for t, s in made[name]["scores"].items()}, made[name]["answers"]
            )
            for name, composition in compositions.items()
        }
        scores = {name: {t: s.score for t, s in e.scores.items()} for name, e in evaluations.items()}
        reused = sum(s.reused for e in evaluations.values() for s in e.scores.values())
        shown = ", ".join(f"{t} {s:.2f}" for t, s in scores["candidate"].items())
        return evaluations, {**scores, "reused": reused}, f"Candidate: {shown} ({reused} answers reused)."

    def gate(self, update_id: str, evaluations: dict[str, Evaluation]) -> Done[GateVerdict]:
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            policy = ModelPolicy.model_validate(update.policy).gate
            margins = {t.name: t.margin or policy.margin for t in catalog.list_tasks(session, update.model)}
            verdict = gate.judge(
                example_scores(Path(evaluations["candidate"].answers)),
                example_scores(Path(evaluations["champion"].answers)),
                {t: margins[t] for t in evaluations["candidate"].scores},
                policy.confidence,
            )
            update.verdict = service.verdict_to_json(verdict)
        return verdict, {"verdict": verdict.verdict, "reason": verdict.reason}, f"{verdict.verdict}: {verdict.reason}"

    def reject(self, update_id: str, evaluations: dict[str, Evaluation], verdict: GateVerdict) -> str:
        state = "rejected" if verdict.verdict == "fail" else "inconclusive"
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            ledger.save_scores(session, update.model, update_id, None, evaluations["candidate"].scores)
            service.finish(session, WORKER, update, state, verdict.reason)
        log.write(self.folder(update_id), None, f"{state}; the champion stays.", "warning")
        return state

    def release(
        self,
        update_id: str,
        snapshot: Snapshot,
        mixture: Mixture,
        trained: Trained,
        evaluations: dict[str, Evaluation],
        verdict: GateVerdict,
    ) -> Done[Release]:
        task, policy, champion = self._task_policy_champion(update_id)
        with self._database.read() as session:
            model = catalog.get_model(session, snapshot.model)
        lineage = describe(snapshot, mixture, trained, evaluations, verdict, policy, champion)
        spec = bundle_spec(self._paths, model, champion, trained, mixture, policy, lineage)
        made = bundles.write_bundle(spec, self._paths.releases, self._paths.keys)
        if bundles.composition_of(made.manifest) != trained.composition:
            raise TamperedArtifact("What was bundled is not what was evaluated: an expert or the router was changed.")
        with self._database.transaction() as session:
            update = service.get_update(session, update_id)
            release = registry.register(
                session, WORKER, made, model=snapshot.model, parent=champion.release_id, update_id=update_id
            )
            ledger.save_scores(session, snapshot.model, None, champion.release_id, evaluations["champion"].scores)
            ledger.save_scores(session, snapshot.model, update_id, release.release_id, evaluations["candidate"].scores)
            update.release_id = release.release_id
        detail = {"release": release.release_id, "number": release.number, "task": task}
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
            service.finish(session, WORKER, service.get_update(session, update_id), state, sentence)
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
            time.sleep(0.3)

    def _task_policy_champion(self, update_id: str) -> tuple[str, ModelPolicy, bundles.BundlePaths]:
        """The champion is the one that the snapshot stage saw; a release never changes under an update."""
        with self._database.read() as session:
            update = service.get_update(session, update_id)
        if update.champion is None:
            raise InvalidInput(f"Model {update.model!r} has no champion; create it again with `clm model create`.")
        champion = bundles.load_bundle(self._paths.releases / update.champion, self._paths.keys)
        return update.task, ModelPolicy.model_validate(update.policy), champion


def _as_job(composition: Composition, where: dict[str, Path], router: Path | None) -> dict[str, Any]:
    """A composition with the places of its parts, as the evaluation job reads it."""
    return {
        "experts": {name: {"hash": expert, "path": str(where[name])} for name, expert in composition.experts.items()},
        "router": {"hash": composition.router_hash, "path": str(router)} if router else None,
    }
