"""Stage *evaluate*: candidate and champion answer every task's suite, routed as in production."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from clm.catalog import service as catalog
from clm.ingest import holding
from clm.jobs.evaluation import Contestant, EarlyStop, EvaluationJob
from clm.jobs.job import Stored
from clm.records import Composition, Evaluation, Metric, Snapshot, Trained
from clm.registry import bundle as bundles
from clm.stages import jobs
from clm.stages.bests import PREFIX, UNTOUCHED, bests_of, to_compare
from clm.stages.compositions import contestant, scores_of
from clm.stages.context import Context
from clm.stages.examining import recall_of
from clm.stages.fitting import Examiner, sentence, told
from clm.stages.outcome import Done
from clm.store.exam import Recalled

Best = tuple[bundles.BundlePaths, list[str]]  # a release, and the tasks that it was best at


@dataclass(frozen=True)
class _Exam:
    """Who is asked what."""

    metrics: dict[str, Metric]  # by task, of all that are asked
    margins: dict[str, float]
    recall: list[Recalled]
    bests: dict[str, Best]  # by the composition's name
    of_base: tuple[str, ...]  # what the untouched base is asked too


def examine(at: Context, snapshot: Snapshot, trained: Trained) -> Done[dict[str, Evaluation]]:
    evaluations = evaluate(at, snapshot, trained, at.folder / "evaluate")
    scores = scores_of(evaluations)
    reused = sum(s.reused for e in evaluations.values() for s in e.scores.values())
    shown = ", ".join(f"{t} {s:.2f}" for t, s in scores["candidate"].items())
    unfit = evaluations["candidate"].left_out
    detail = {**scores, "reused": reused, "unfit": len(unfit), "left_out": told(unfit)}
    message = f"Candidate: {shown} ({reused} answers reused)."
    return evaluations, detail, message + sentence(unfit, "held-out examples can't be asked and were")


def evaluate(at: Context, snapshot: Snapshot, trained: Trained, folder: Path) -> dict[str, Evaluation]:
    """Idempotent by its folder. By composition: the candidate, the champion, best releases, the untouched base."""
    champion, exam = at.champion, _exam(at, snapshot, trained)
    examiner = Examiner(at.fitness(), exam.metrics)
    suites = at.store.write_suites(
        snapshot, at.folder / "suites.parquet", tasks=sorted(exam.metrics), recall=exam.recall, keep=examiner.keep
    )
    examiner.check_left(exam.metrics.keys())
    gate, settings = at.policy.gate, at.installation.settings
    claims = len(exam.margins) + sum(len(names) for _, names in exam.bests.values())
    job = EvaluationJob(
        base=champion.base_hash,
        artifacts=at.paths.artifacts,
        compute=jobs.compute_of(settings),
        compositions={
            "champion": contestant(champion),
            "candidate": _candidate(at, trained),
            **{name: contestant(best, names) for name, (best, names) in exam.bests.items()},
            **({UNTOUCHED: Contestant(tasks=exam.of_base, likelihoods=False)} if exam.of_base else {}),
        },
        suites=suites,
        metrics=exam.metrics,
        judge=jobs.judge_of(settings),
        max_new_tokens=at.policy.generation.max_new_tokens,
        early_stop=EarlyStop(exam.margins, gate.confidence, claims) if gate.early_stop else None,
    )
    result = jobs.run_job(at, job, folder)
    compositions = {"champion": champion.composition, "candidate": trained.composition}
    compositions |= {name: best.composition for name, (best, _) in exam.bests.items()}
    compositions |= {UNTOUCHED: Composition(champion.base_hash, {}, None)} if exam.of_base else {}
    return {
        name: Evaluation(
            composition,
            result.compositions[name].scores,
            str(result.compositions[name].answers),
            examiner.left_out,
            result.judge_trouble,
        )
        for name, composition in compositions.items()
    }


def _exam(at: Context, snapshot: Snapshot, trained: Trained) -> _Exam:
    learned = trained.composition.tasks
    with at.database.read() as session:
        tasks = catalog.list_tasks(session, snapshot.model, removed=True)  # after a rollback one may serve again
        best = bests_of(session, at.model, at.champion, at.paths.releases)
        held = holding.left_out(session, at.model)
    lineage = bundles.newest_lineage(at.champion_folder)
    learns = "" if at.removes else at.task
    recall = recall_of([t for t in tasks if t.name in learned], learns, snapshot, lineage, at.policy.suite, held)
    watched = {t.name for t in tasks if t.watched and t.removed_at is None and snapshot.suites.get(t.name)} - learned
    asked = [task for task in tasks if task.name in learned | watched]
    margins = {t.name: t.margin or at.policy.gate.margin for t in asked}
    bests: dict[str, Best] = {
        f"{PREFIX}v{number}": (bundles.load_bundle(at.paths.releases / release, at.paths.keys), names)
        for (release, number), names in to_compare(best, at.champion.release_id, margins, at.policy.gate).items()
    }
    # The untouched base is asked too: what did it know of a new task, and of what no task teaches?
    of_base = sorted(watched | ({at.task} & learned - at.champion.composition.tasks))
    metrics: dict[str, Metric] = {task.name: cast(Metric, task.metric) for task in asked}
    return _Exam(metrics, margins, recall, bests, tuple(of_base))


def _candidate(at: Context, trained: Trained) -> Contestant:
    """The champion's experts with the trained one in their place; what is new lies under its hash."""
    artifacts, composition = at.paths.artifacts, trained.composition
    experts = {
        name: Stored(*at.champion.experts[name])
        if expert != trained.expert_hash
        else Stored(expert, artifacts.expert(expert))
        for name, expert in composition.experts.items()
    }
    router = composition.router_hash
    return Contestant(experts, Stored(router, artifacts.router(router)) if router else None)
