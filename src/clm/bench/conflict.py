"""When a task's labels are renamed, merged and swapped on the way: is the new learned, and is the rest kept?

On an installation of its own one task is taught and then refreshed again and again, as a user would: each delivery is
ingested, and an update with the default policy decides whether its model is released. Deliveries with mistakes come in
between; one that is released all the same is rolled back, and what it brought is dropped, so that each is judged
against a sound model. In the end a second model learns all that is true at once. Test rows never enter the product.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from clm.bench.bases import base_reference
from clm.bench.conflicting import Delivery, Story, everything, story
from clm.bench.datasets import BenchTask, load_sequence
from clm.bench.homes import measured_home
from clm.bench.options import ConflictOptions
from clm.bench.progress import Progress
from clm.bench.public_sets import Row
from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.content import content_hash, prompt_hash
from clm.deployment import repository as deployments
from clm.deployment import service as deployment
from clm.errors import InvalidInput
from clm.evaluation.answer_store import AnswerStore
from clm.evaluation.evaluator import Candidate, Evaluator
from clm.evaluation.lazy_model import LazyModel
from clm.formats.answers import AnswerRow
from clm.formats.suites import SuiteExample
from clm.ingest import conflicts
from clm.ingest import service as ingest
from clm.ingest.dropping import drop
from clm.ingest.intake import BatchSpec
from clm.installation import open_home
from clm.jobs.job import Stored
from clm.orchestration.inline import run_update
from clm.policies import GenerationPolicy, ModelPolicy
from clm.records import IngestReport
from clm.registry.bundle import load_bundle
from clm.settings import Settings
from clm.stages.first_release import create_model
from clm.updates import service as updates
from clm.updates.tables import Update

BENCH = Caller("bench")
REFRESHED, JOINT, TASK = "refreshed", "joint", "labels"
Answers = list[AnswerRow]


@dataclass(frozen=True)
class Told:
    """How one delivery went."""

    after: int
    mistake: str | None
    changes: list[str]
    rows: int
    superseding: int
    held: int  # rows that wait for a person
    state: str  # of the update
    outcome: str
    seconds: float


def run(options: ConflictOptions, progress: Progress) -> dict[str, Any]:
    count = options.first + options.rows * (options.refreshes + options.bad)
    (task,) = _one_task(load_sequence(options.data, (options.set,), count, options.test, options.seed))
    assert task.labels is not None  # checked just now
    tale = story(task.train, task.labels, options.first, options.rows, options.refreshes, options.bad,
                 options.changed, options.seed)  # fmt: skip
    steps = len(tale.deliveries) + 1
    progress.show(0.0, f"delivery 1 of {steps - 1}")
    with measured_home(options.home, "conflict") as home:
        installation = ConflictHome(home, options)
        installation.create(REFRESHED)
        went = [installation.deliver(tale.deliveries[0])]
        first = installation.ask(REFRESHED, task.test, Story(()))
        for number, delivery in enumerate(tale.deliveries[1:], start=1):
            progress.show(number / steps, f"delivery {number + 1} of {steps - 1}{_word(delivery)}")
            went.append(installation.deliver(delivery))
        progress.show((steps - 1) / steps, "all at once")
        last = installation.ask(REFRESHED, task.test, tale)
        installation.create(JOINT)
        installation.take(JOINT, everything(tale))
        update, _ = installation.update(JOINT)
        joint = installation.ask(JOINT, task.test, tale)
        progress.show(1.0, f"all at once: {update.state}")
    return figures(tale, task.test, first, last, joint, went)


def figures(
    tale: Story, test: Sequence[Row], first: Answers, last: Answers, joint: Answers, went: Sequence[Told]
) -> dict[str, Any]:
    """`first`: what the model said after its first update; the three answer the same rows."""
    has_changed = [row["completion"] in tale.names for row in test]
    good, bad = ([one for one in went[1:] if (one.mistake is None) == is_good] for is_good in (True, False))

    def right(rows: Answers, changed: bool) -> float | None:
        return _share([row.score == 1 for row, moved in zip(rows, has_changed, strict=True) if moved == changed])

    before, after = right(first, False), right(last, False)
    return {
        "new_right": right(last, True),
        "joint_right": right(joint, True),
        "stale": _share([row.stale for row, moved in zip(last, has_changed, strict=True) if moved]),
        "unchanged_lost": before - after if before is not None and after is not None else None,
        "good_accepted": _share([one.state == "succeeded" for one in good]),
        "bad_accepted": _share([one.state == "succeeded" for one in bad]),
        "unchanged_first": before,
        "unchanged_right": after,
        "unchanged_joint": right(joint, False),
        "changed_rows": sum(has_changed),
        "unchanged_rows": len(test) - sum(has_changed),
        "names": dict(tale.names),
        "deliveries": [asdict(one) for one in went],
    }


class ConflictHome:
    """A home of its own whose updates run in this process."""

    def __init__(self, home: Path, options: ConflictOptions) -> None:
        self._options = options
        self.settings = Settings.load(home=home, threads=options.threads, jobs="inline", dtype=options.dtype,
                                      device=options.device)  # fmt: skip
        self._on = open_home(self.settings)
        self._database, self._store = self._on.database, self._on.store
        self._base = base_reference(options.base, home / "tiny")

    def create(self, model: str) -> None:
        create_model(self._on, BENCH, name=model, base=self._base, policy=_policy(self._options))
        with self._database.transaction() as session:
            catalog.add_task(session, BENCH, model=model, name=TASK)

    def deliver(self, delivery: Delivery) -> Told:
        """Takes the rows in and updates the model. Of good rows that are held as contradictions a person says that the
        newest are right; what was a mistake is taken back in the end."""
        report = self.take(REFRESHED, delivery.rows)
        if report.contradicting and delivery.mistake is None:
            with self._database.transaction() as session:
                conflicts.resolve(session, BENCH, conflicts.NEWEST, reference=report.batch_id)
        update, seconds = self.update(REFRESHED)
        if delivery.mistake is not None:
            self._take_back(report.batch_id, released=update.state == "succeeded")
        return Told(
            delivery.after, delivery.mistake, [change.kind for change in delivery.changes], len(delivery.rows),
            report.superseding, report.contradicting, update.state, update.outcome or "", seconds,
        )  # fmt: skip

    def take(self, model: str, rows: Sequence[Row]) -> IngestReport:
        file = self.settings.home / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return ingest.ingest(self._on.intake(BENCH), file, BatchSpec(model, TASK, source="bench"))

    def update(self, model: str) -> tuple[Update, float]:
        """Runs one to its end. Returns it with its seconds."""
        with self._database.transaction() as session:
            update_id = updates.create_update(session, BENCH, model=model, task=TASK).id
        run_update(self._on, update_id)
        with self._database.read() as session:
            update = updates.get_update(session, update_id)
        if update.started_at is None or update.finished_at is None:
            return update, 0.0
        return update, round((update.finished_at - update.started_at).total_seconds(), 1)

    def ask(self, model: str, test: Sequence[Row], tale: Story) -> Answers:
        """What the release that serves says, routed and in its full length as it would serve."""
        with self._database.read() as session:
            champion = deployments.get_deployment(session, model).champion
        parts = load_bundle(self.settings.paths.releases / champion)
        experts = {name: Stored(*stored) for name, stored in parts.experts.items()}
        candidate = Candidate(experts, Stored(*parts.router) if parts.router else None)
        base = self.settings.paths.bases / parts.base_hash
        language_model = LazyModel(base, self.settings.threads, self.settings.device, self.settings.dtype)
        with AnswerStore(self.settings.home / "asked", parts.base_hash) as store:
            suites = {TASK: [_example(number, row, tale) for number, row in enumerate(test)]}
            evaluator = Evaluator(
                language_model, store, suites, {TASK: "exact_match"}, GenerationPolicy().max_new_tokens
            )
            return evaluator.evaluate(candidate, likelihoods=False)

    def _take_back(self, batch_id: str, released: bool) -> None:
        with self._database.transaction() as session:
            if released:
                deployment.act(session, BENCH, REFRESHED, "rollback", reason="a bad delivery was learned")
            for suite in (False, True):
                rows = self._store.of_batch(REFRESHED, batch_id, suite=suite)
                if rows:
                    drop(session, self._store, BENCH, model=REFRESHED, record_ids=rows, suite=suite, reason="mistakes")


def _one_task(tasks: list[BenchTask]) -> list[BenchTask]:
    if len(tasks) > 1 or not tasks[0].labels:
        raise InvalidInput(
            "--set takes one data set whose answers are labels, such as bitext or banking77.", field="set"
        )
    return tasks


def _example(number: int, row: Row, tale: Story) -> SuiteExample:
    content = {**row, "completion": tale.truth(row["completion"])}
    old = (row["completion"],) if content != row else ()
    prompt, whole = prompt_hash("completion", content), content_hash("completion", content)
    return SuiteExample(str(number), TASK, "completion", content, prompt, whole, old_answers=old)


def _share(are: Iterable[bool]) -> float | None:
    counted = list(are)
    return fmean(counted) if counted else None


def _word(delivery: Delivery) -> str:
    words = [change.kind for change in delivery.changes] + [f"mistake: {delivery.mistake}"] * bool(delivery.mistake)
    return f" ({', '.join(words)})" if words else ""


def _policy(options: ConflictOptions) -> ModelPolicy:
    """The default, but for what a benchmark has to fix."""
    training = {"learning_rate": options.learning_rate, "seed": options.seed}
    length = {"epochs": options.epochs} if options.epochs else {}
    return ModelPolicy.model_validate({"training": {**training, **length}, "rollout": {"kind": "blue-green"}})
