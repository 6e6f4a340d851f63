"""Makes and measures candidates: mixture, training, evaluation and the gate's comparison, each in a folder of its own.

The stages use these once per update, `clm.orchestration.repair` as often as it tries. All are idempotent by their
folder: a job that had ended returns what it made, one that was cut off goes on.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from clm.catalog import service as catalog
from clm.core.database import Database
from clm.core.hashing import sha256_json
from clm.core.recent import Recent
from clm.errors import InvalidInput
from clm.evaluation.gate import Handed, Terms
from clm.ingest import holding
from clm.jobs.evaluation import Contestant, EarlyStop, EvaluationJob
from clm.jobs.job import Stored
from clm.jobs.training import TrainingJob
from clm.llm.fitness import Fitness, fitness_of
from clm.orchestration import jobs, replaying, service
from clm.orchestration.bests import PREFIX, UNTOUCHED, bests_of, to_compare
from clm.orchestration.compositions import composition_with, contestant
from clm.orchestration.examining import no_suite, recall_of
from clm.orchestration.fitting import Examiner, unfit_to_train
from clm.orchestration.judging import judged, newest_known_slice, unless_doubted, unless_nothing_learned
from clm.orchestration.removal import check_parts, check_removal, refit_job
from clm.orchestration.repairs_left import kinds_of_tries
from clm.policies import ModelPolicy
from clm.records import (
    Composition,
    Evaluation,
    GateVerdict,
    Judged,
    Memory,
    Metric,
    Mixture,
    Snapshot,
    Trained,
    task_of,
)
from clm.registry import bundle as bundles
from clm.settings import Settings
from clm.store.memory import by_name
from clm.store.store import Store
from clm.strategies import adapter_of


@dataclass(frozen=True)
class Context:
    """What stays the same while an update runs. A release never changes under an update."""

    update_id: str
    model: str
    task: str
    policy: ModelPolicy
    champion: bundles.BundlePaths  # the one that the snapshot stage saw
    folder: Path
    removes: bool = False  # the update takes the task's experts out, and trains nothing
    consolidates: bool = False  # it makes one expert of the task's parts
    adapter: str = ""  # whose expert is trained: the task's own, its group's, or the one that all share
    mates: tuple[str, ...] = ()  # other experts' names in the champion that are this adapter too

    @property
    def has_parts(self) -> bool:
        """True where a task may have several experts: each is its own then."""
        return any(chosen.name == "experts" for chosen in self.policy.training.strategies)

    @property
    def start(self) -> str | None:
        """The name of the released expert that the training goes on from."""
        return next((name for name in (self.task, *self.mates) if name in self.champion.experts), None)


class Candidates:
    """Makes and measures the candidates of updates on one installation."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._paths = settings.paths
        self._database = database
        self._store = Store(settings.paths.data)
        self._champions = Recent[bundles.BundlePaths](1)

    def context(self, update_id: str) -> Context:
        with self._database.read() as session:
            update = service.get_update(session, update_id)
            groups = {t.name: t.group for t in catalog.list_tasks(session, update.model, removed=True)}
        if update.champion is None:
            raise InvalidInput(f"Model {update.model!r} has no champion; create it again with `clm model create`.")
        path = self._paths.releases / update.champion  # verified once an update: it takes longer with every expert
        champion = self._champions.get((update_id, path), lambda: bundles.load_bundle(path, self._paths.keys))
        policy = ModelPolicy.model_validate(update.policy)
        folder = self._paths.updates / update_id
        chosen, task = policy.training.strategies, update.task
        adapter = adapter_of(chosen, task, groups.get(task))
        mates = tuple(
            name for name in sorted(champion.experts)
            if name != task and adapter_of(chosen, name, groups.get(task_of(name))) == adapter
        )  # fmt: skip
        removes, consolidates = update.kind == "remove", update.kind == "consolidate"
        return Context(update_id, update.model, task, policy, champion, folder, removes, consolidates, adapter, mates)

    def mix(self, at: Context, snapshot: Snapshot, replay_share: float, out: Path) -> Mixture:
        """The task's rows that its champion's expert did not see yet, and `replay_share` remembered ones for each."""
        if at.removes:
            return Mixture(at.task, "", 0, 0, 0, sha256_json([]), ())
        if at.consolidates:
            check_parts(at.champion.composition, at.task, at.has_parts)
        with self._database.read() as session:
            past = replaying.past_of(session, self._paths, at.model, at.champion.release_id)
            exam = catalog.get_task(session, at.model, at.task).exam
        if exam == "held_out" and not snapshot.suites.get(at.task):
            raise InvalidInput(no_suite(at.task))
        lineage = past.lineage.get(at.task)
        share, recall = replaying.recall(past, at.task, at.policy, replay_share, self._paths.memories)
        recall = replace(recall, unfit=partial(unfit_to_train, self.fitness(at)), again=at.consolidates)
        mixture = self._store.build_mixture(
            snapshot,
            at.task,
            since=lineage["snapshot"]["tables"]["records"] if lineage else None,
            replay_share=share,
            seed=at.policy.training.seed,
            out=out,
            recall=recall,
        )
        return replace(mixture, memory_budget=replaying.budget(past, at.task, at.policy))

    def fitness(self, at: Context) -> Fitness | str:
        """What the base can read and the update's policy allows; a sentence where this machine can't tell."""
        return fitness_of(self._paths.bases / at.champion.base_hash, at.policy.training.max_tokens)

    def train(self, at: Context, mixture: Mixture, folder: Path) -> Trained:
        if at.removes:
            return self._without(at, folder)
        champion, task = at.champion, at.task
        job = TrainingJob(
            base=champion.base_hash,
            artifacts=self._paths.artifacts,
            compute=jobs.compute_of(self._settings),
            task=task,
            mixture=Path(mixture.path),
            policy=at.policy.training,
            init_expert=Stored(*champion.experts[at.start]) if at.start else None,
            state=champion.states.get(at.adapter),
            others={name: Stored(*expert) for name, expert in champion.experts.items() if name != task},
            other_features={name: path for name, (_, path) in champion.features.items() if name != task},
            own_features=champion.features[task][1] if task in champion.features else None,
            transfer=at.policy.transfer,
            parts=at.policy.parts if at.has_parts else None,
            part_states={name: state for name, state in champion.states.items() if task_of(name) == task},
            changed=mixture.changed,
            consolidate=at.consolidates,
            memory_needs=by_name(at.policy.memory.policy).needs,
        )
        made = jobs.run_job(self._settings, self._database, at.update_id, job, folder, at.folder)
        return Trained(
            composition=composition_with(
                champion.composition, made.expert.hash, made.router.hash, (made.part, *at.mates), made.merged
            ),
            task=task,
            expert_hash=made.expert.hash,
            features_hash=made.features.hash,
            steps=made.steps,
            tokens=made.tokens,
            seconds=made.seconds,
            final_loss=made.final_loss,
            described=str(made.described) if made.described else None,
            adapter=made.part if at.has_parts else at.adapter,
            state_hash=made.state,
            notes=made.notes,
            transfer=made.transfer,
            part=made.part,
            choice=made.choice,
        )

    def _without(self, at: Context, folder: Path) -> Trained:
        """The champion without the task: the other experts as they are, and a router over their stored features."""
        check_removal(at.champion, at.task)
        job = refit_job(self._settings, at.champion, at.policy.training, without=at.task)
        began = time.monotonic()
        made = jobs.run_job(self._settings, self._database, at.update_id, job, folder, at.folder)
        kept = {name: expert for name, (expert, _) in at.champion.experts.items() if task_of(name) != at.task}
        composition = Composition(at.champion.base_hash, dict(sorted(kept.items())), made.router.hash)
        unused = "" if at.mates else at.adapter  # what its strategies remember leaves with it
        return Trained(composition, at.task, "", "", 0, 0, time.monotonic() - began, 0.0, adapter=unused)

    def evaluate(self, at: Context, snapshot: Snapshot, trained: Trained, folder: Path) -> dict[str, Evaluation]:
        champion, task = at.champion, at.task
        learnt = trained.composition.tasks
        with self._database.read() as session:
            tasks = catalog.list_tasks(session, snapshot.model, removed=True)  # after a rollback one may serve again
            best = bests_of(session, at.model, champion, self._paths.releases)
            held = holding.left_out(session, at.model)
        lineage = bundles.newest_lineage(self._paths.releases / champion.release_id)
        learns = "" if at.removes else task
        recall = recall_of([t for t in tasks if t.name in learnt], learns, snapshot, lineage, at.policy.suite, held)
        watched = {t.name for t in tasks if t.watched and t.removed_at is None and snapshot.suites.get(t.name)} - learnt
        asked = learnt | watched
        margins = {t.name: t.margin or at.policy.gate.margin for t in tasks if t.name in asked}
        bests = {
            f"{PREFIX}v{number}": (bundles.load_bundle(self._paths.releases / release, self._paths.keys), names)
            for (release, number), names in to_compare(best, champion.release_id, margins, at.policy.gate).items()
        }
        claims = len(margins) + sum(len(names) for _, names in bests.values())
        # The untouched base is asked too: what did it know of a new task, and of what no task teaches?
        of_base = sorted(watched | ({task} & learnt - champion.composition.tasks))
        metrics: dict[str, Metric] = {t.name: cast(Metric, t.metric) for t in tasks if t.name in asked}
        examiner = Examiner(self.fitness(at), metrics)
        suites = self._store.write_suites(
            snapshot, at.folder / "suites.parquet", tasks=sorted(asked), recall=recall, keep=examiner.keep
        )
        examiner.check_left(asked)
        gate = at.policy.gate
        job = EvaluationJob(
            base=champion.base_hash,
            artifacts=self._paths.artifacts,
            compute=jobs.compute_of(self._settings),
            compositions={
                "champion": contestant(champion),
                "candidate": self._candidate(champion, trained),
                **{name: contestant(best, names) for name, (best, names) in bests.items()},
                **({UNTOUCHED: Contestant(tasks=tuple(of_base), likelihoods=False)} if of_base else {}),
            },
            suites=suites,
            metrics=metrics,
            judge=jobs.judge_of(self._settings),
            max_new_tokens=at.policy.generation.max_new_tokens,
            early_stop=EarlyStop(margins, gate.confidence, claims) if gate.early_stop else None,
        )
        result = jobs.run_job(self._settings, self._database, at.update_id, job, folder, at.folder)
        made = result.compositions
        compositions = {"champion": champion.composition, "candidate": trained.composition}
        compositions |= {name: best.composition for name, (best, _) in bests.items()}
        compositions |= {UNTOUCHED: Composition(champion.base_hash, {}, None)} if of_base else {}
        return {
            name: Evaluation(
                composition, made[name].scores, str(made[name].answers), examiner.left_out, result.judge_trouble
            )
            for name, composition in compositions.items()
        }

    def _candidate(self, champion: bundles.BundlePaths, trained: Trained) -> Contestant:
        """The champion's experts with the trained one in their place; what is new lies under its hash."""
        artifacts, composition = self._paths.artifacts, trained.composition
        experts = {
            name: Stored(*champion.experts[name])
            if expert != trained.expert_hash
            else Stored(expert, artifacts.expert(expert))
            for name, expert in composition.experts.items()
        }
        router = composition.router_hash
        return Contestant(experts, Stored(router, artifacts.router(router)) if router else None)

    def remember(self, at: Context, snapshot: Snapshot, candidate: Judged) -> Memory | None:
        """What of the task can be replayed from now on; None where the task was removed."""
        if at.removes:
            return None
        described = candidate.trained.described
        return replaying.remember(
            self._store, self._paths, at.champion.release_id, snapshot, candidate.mixture, at.policy, described
        )

    def known_slices(self, at: Context) -> dict[str, int]:
        """The newest slice of the updated task's suite that the champion was examined on; what is above is new."""
        lineage = bundles.newest_lineage(self._paths.releases / at.champion.release_id)
        return {} if at.removes else {at.task: newest_known_slice(lineage, at.task)}

    def judge(
        self, at: Context, trained: Trained, evaluations: dict[str, Evaluation], is_try: bool = False
    ) -> GateVerdict:
        """`is_try`: of a repair, for which little of the error rate is left."""
        policy = at.policy.gate
        with self._database.read() as session:
            tasks = catalog.list_tasks(session, at.model, removed=True)
            bests = bests_of(session, at.model, at.champion, self._paths.releases)
        terms = Terms(
            tries=kinds_of_tries(at.policy, refreshes=at.start is not None and not at.removes),
            is_try=is_try,
            legacy=self.known_slices(at),
            handed={task: Handed(*counts) for task, counts in trained.notes.get("handed", {}).items()},
            require_gain=policy.require_gain and not at.consolidates,
            weights={t.name: t.weight for t in tasks},
            overall_margin=policy.overall_margin or policy.margin,
        )
        verdict = judged(policy, tasks, evaluations, bests, terms)
        trouble = evaluations["candidate"].judge_trouble
        if trouble and verdict.verdict != "pass":
            return replace(verdict, reason=f"{verdict.reason} {trouble}")
        if at.removes or at.consolidates or not policy.require_gain:
            return verdict
        margin = next((t.margin for t in tasks if t.name == at.task), None) or policy.margin
        is_new = at.task not in at.champion.composition.tasks
        verdict = unless_nothing_learned(verdict, at.task, evaluations, margin, is_new, trained)
        return unless_doubted(verdict, at.task, evaluations, terms.legacy[at.task])
