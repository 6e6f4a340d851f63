"""What adding or removing a task does to every other task, measured before anything is applied.

Experts stay as they are; only the router is fitted again. So it is enough to route all suites anew and to answer the
prompts whose route changed: the other answers are known. A task that has no expert yet is answered by the base
meanwhile, so the scores of others that lose prompts to it are what they lose at most before it is learned.
"""

import random
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, cast

from clm.catalog import service as catalog
from clm.core.hashing import canonical_json
from clm.deployment import repository as deployments
from clm.errors import InvalidInput
from clm.formats.answers import read_answers
from clm.formats.mixture import write_mixture
from clm.formats.parquet import read_rows
from clm.formats.suites import write_suites
from clm.ingest.batch import peek
from clm.ingest.conflicts import pins
from clm.installation import Installation
from clm.jobs.evaluation import Answered, Contestant, EvaluationJob
from clm.jobs.job import Stored
from clm.llm.fitness import fitness_of
from clm.records import BASE, Json, Metric, Record, Snapshot, task_of
from clm.registry import bundle as bundles
from clm.settings import Settings
from clm.stages import jobs
from clm.stages.compositions import contestant
from clm.stages.fitting import Examiner
from clm.stages.removal import check_removal, refit_job
from clm.store.store import Store

HELD_BACK = 0.2  # of a file's rows: routed, not fitted on
FEWEST_ROWS = 5

Role = Literal["other", "new", "removed"]
Routes = dict[str, int]  # who answers (a task, or BASE) -> prompts


@dataclass(frozen=True)
class TaskImpact:
    task: str
    role: Role
    n: int
    before: float
    after: float | None  # None: the task is not learned yet
    answered_before: Routes
    answered_after: Routes

    @property
    def difference(self) -> float | None:
        return None if self.after is None else self.after - self.before

    @property
    def strays_before(self) -> int:
        """Prompts that another than the task's own expert answers; for a new task, than the base."""
        return self.n - self.answered_before.get(BASE if self.role == "new" else self.task, 0)

    @property
    def strays_after(self) -> int:
        return self.n - self.answered_after.get(BASE if self.role == "removed" else self.task, 0)

    def as_row(self) -> Json:
        strays = {"strays_before": self.strays_before, "strays_after": self.strays_after}
        return asdict(self) | {"difference": self.difference, **strays}


@dataclass(frozen=True)
class Impact:
    model: str
    task: str
    change: Literal["add", "remove"]
    release: str  # the champion that it was measured on
    router_hash: str
    tasks: tuple[TaskImpact, ...]  # others first, then the task itself

    def as_json(self) -> Json:
        return {"model": self.model, "task": self.task, "change": self.change, "release": self.release,
                "router": self.router_hash, "tasks": [each.as_row() for each in self.tasks],
                "moves": self.moves()}  # fmt: skip

    def moves(self) -> list[str]:
        """A sentence per task whose prompts change hands."""
        lines: list[str] = []
        for each in self.tasks:
            before, after = each.answered_before, each.answered_after
            moved = [name for name in sorted(before | after) if before.get(name, 0) != after.get(name, 0)]
            changes = ", ".join(f"{_named(name)} {before.get(name, 0)} -> {after.get(name, 0)}" for name in moved)
            if changes:
                lines.append(f"Prompts of {each.task} are answered by: {changes}.")
        return lines or ["No prompt changes hands."]


def _named(answering: str) -> str:
    return "the base" if answering == BASE else answering


def measure(
    on: Installation,
    model: str,
    task: str,
    *,
    removal: bool,
    file: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Impact:
    """The impact on the model as it serves now. `file`: rows for a task that the model has none of yet.

    Raises NotFound or InvalidInput where the question makes no sense, and what the jobs raise.
    """
    settings, store = on.settings, on.store
    with on.database.read() as session:
        row = catalog.get_model(session, model)
        if file is None:
            catalog.get_task(session, model, task)
        metrics = {t.name: t.metric for t in catalog.list_tasks(session, model, removed=True)}
        release_id = deployments.get_deployment(session, model).champion
        pinned = pins(session, model)
    policy = catalog.policy_of(row)
    champion = bundles.load_bundle(settings.paths.releases / release_id, settings.paths.keys)
    check_removal(champion, task) if removal else _check_addition(champion, task, file)
    snapshot = store.snapshot(model, **pinned)
    with tempfile.TemporaryDirectory(dir=settings.paths.updates, prefix="impact-") as temporary:
        folder = Path(temporary)
        scored_by = {name: metrics.get(name, "exact_match") for name in (*champion.composition.tasks, task)}
        fitness = fitness_of(settings.paths.artifacts.base(champion.base_hash), policy.training.max_tokens)
        suites = store.write_suites(
            snapshot, folder / "suites.parquet", tasks=sorted(scored_by), keep=Examiner(fitness, scored_by).keep
        )
        rows: dict[str, Path] = {}
        if not removal:
            rows[task] = _rows_of(settings, store, snapshot, task, file, suites, folder)
        tell("Fitting the router")
        refit = replace(refit_job(settings, champion, policy.training, without=task), rows=rows)
        router = jobs.run_alone(on, refit, folder / "refit", tell).router
        tell("Asking every task's suite")
        experts = {name: Stored(*expert) for name, expert in champion.experts.items() if task_of(name) != task}
        job = EvaluationJob(
            base=champion.base_hash,
            artifacts=settings.paths.artifacts,
            compute=jobs.compute_of(settings),
            compositions={"before": contestant(champion), "after": Contestant(experts, router)},
            suites=suites,
            metrics={name: cast(Metric, metric) for name, metric in scored_by.items()},
            judge=jobs.judge_of(settings),
            max_new_tokens=policy.generation.max_new_tokens,
        )
        answered = jobs.run_alone(on, job, folder / "evaluate", tell).compositions
        tasks = _impacts(answered, task, "removed" if removal else "new")
    return Impact(model, task, "remove" if removal else "add", release_id, router.hash, tasks)


def _check_addition(champion: bundles.BundlePaths, task: str, file: Path | None) -> None:
    catalog.check_name("task", task)
    if task in champion.composition.tasks:
        raise InvalidInput(
            f"Task {task!r} is learned already, so it can't be added. `clm update start {task}` refreshes it"
            + ("; leave --add out." if file else "."),
            field="task",
        )


def _rows_of(
    settings: Settings, store: Store, snapshot: Snapshot, task: str, file: Path | None, suites: Path, folder: Path
) -> Path:
    """A mixture of the new task's rows: those that it has, or a file's, of which some go into the suites."""
    mixture = folder / "mixture.parquet"
    if file is None:
        store.build_mixture(snapshot, task, since=None, replay_share=0, seed=0, out=mixture)
        return mixture
    records = _records(settings, task, file)
    random.Random(0).shuffle(records)
    held_back = max(1, round(HELD_BACK * len(records)))
    write_mixture(mixture, [_plain(record) for record in records[held_back:]])
    held_out = {"slice": 1, "kind": "held_out", "old_answers": "[]"}
    known = [row for row in read_rows(suites) if row["task"] != task]
    write_suites(suites, known + [_plain(r) | {"example_id": r.record_id} | held_out for r in records[:held_back]])
    return mixture


def _records(settings: Settings, task: str, file: Path) -> list[Record]:
    records_read, refused = peek(file, settings.max_line_bytes)
    records = {r.content_hash: replace(r, task=task) for r in records_read}
    if len(records) < FEWEST_ROWS:
        why = f" Line {refused.line}, {refused.field or 'the row'}: {refused.reason}." if refused else ""
        raise InvalidInput(
            f"{file.name} has {len(records)} rows that can be used; at least {FEWEST_ROWS} are needed.{why}"
        )
    return list(records.values())


def _plain(record: Record) -> dict[str, str]:
    return {
        "origin": "new",
        "record_id": record.record_id, "task": record.task, "shape": record.shape,
        "content": canonical_json(record.content), "prompt_hash": record.prompt_hash,
        "content_hash": record.content_hash,
    }  # fmt: skip


def _impacts(answered: dict[str, Answered], task: str, role: Role) -> tuple[TaskImpact, ...]:
    before, after = answered["before"], answered["after"]
    routes = {name: _routes(answered[name].answers) for name in ("before", "after")}
    impacts = [
        TaskImpact(
            task=name,
            role=role if name == task else "other",
            n=score.n,
            before=score.score,
            after=None if name == task and role == "new" else after.scores[name].score,
            answered_before=routes["before"][name],
            answered_after=routes["after"][name],
        )
        for name, score in before.scores.items()
    ]
    return tuple(sorted(impacts, key=lambda impact: (impact.role != "other", impact.task)))


def _routes(answers: Path) -> dict[str, Routes]:
    """Who answered whose prompts, from an answers file."""
    routes_of: dict[str, Routes] = {}
    for row in read_answers(answers):
        routes = routes_of.setdefault(row.task, {})
        routes[task_of(row.routed)] = routes.get(task_of(row.routed), 0) + 1
    return routes_of
