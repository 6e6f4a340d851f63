"""One update's learning with any composition of methods. Usable without a server or a database:

policy = TrainingPolicy(strategies=("replay", "distill"))
lesson = Lesson(base, "colours", new=rows, memory={"towns": old_rows}, old=adapter, state=state)
learned = learn(lesson, policy)  # the next update's lesson takes learned.expert and learned.state
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from clm.errors import InvalidInput
from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import replays
from clm.training.examples import Example
from clm.training.loop import Progress, train
from clm.training.strategies import build_strategies
from clm.training.strategies.hooks import Examples, Lesson, Method, Strategy


@dataclass(frozen=True)
class Learned:
    expert: Expert
    state: dict[str, Tensor]  # what the methods need at the next update; saved with the release
    notes: dict[
        str, Any
    ]  # what a method chose, such as frozen layers; "rows": new and legacy by task, "length": why it ended
    steps: int
    tokens: int  # of all examples seen, prompts included
    seconds: float
    final_loss: float


def learn(
    lesson: Lesson,
    policy: TrainingPolicy,
    checkpoints: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Learned:
    """Trains the adapter of a task on its new rows with the policy's strategies.

    The same lesson gives the same adapter on the same machine. `checkpoints`: a folder from which a killed training
    goes on exactly. Raises InvalidInput for rows or a policy that can't be trained on, TrainingFailed for a loss that
    is not finite.
    """
    strategies = build_strategies(policy.strategies, policy)
    lesson = replace(lesson, memory=_replayable(lesson, policy))
    legacy = _replayed(strategies, lesson)
    texts = [row for strategy in strategies for row in strategy.texts(lesson)]
    apart = {row.record_id for row in texts}
    rows = [*(row for row in lesson.new if row.record_id not in apart), *legacy]
    if 1 in (len(texts), len(rows)):  # one row alone is no reading
        rows, texts = [*texts, *rows], []
    start, seed = lesson.old or lesson.start, policy.seed
    if lesson.old and any(strategy.starts_fresh(lesson) for strategy in strategies):
        start, seed = None, policy.seed + lesson.old.rank  # other random directions than the old adapter began with

    first = None
    if texts:
        passes = max(strategy.text_epochs() for strategy in strategies)
        reading = policy.model_copy(update={"length": "epochs", "epochs": passes})
        folder = checkpoints / "texts" if checkpoints else None
        method = Method(strategies, _in_order(lesson, texts), ends=not rows)
        first = train(lesson.base, texts, reading, start, folder, on_progress, seed, method)
        start = first.expert
    if not rows and first is None:
        raise InvalidInput("The mixture holds no example; an update needs at least two. Ingest more rows of this task.")

    method = Method(strategies, _in_order(lesson, rows))
    new = len(rows) - len(legacy) if start and lesson.new else None  # a fresh adapter has the old ones to learn too
    trained = train(lesson.base, rows, policy, start, checkpoints, on_progress, seed, method, new) if rows else first
    assert trained is not None  # there were rows or texts
    return Learned(
        expert=trained.expert,
        state=trained.state,
        notes={
            **method.notes(),
            "rows": {"new": len(lesson.new), "legacy": _by_task(legacy, lesson)},
            "length": trained.length,
        },
        steps=trained.steps + (first.steps if first and rows else 0),
        tokens=trained.tokens + (first.tokens if first and rows else 0),
        seconds=trained.seconds + (first.seconds if first and rows else 0),
        final_loss=trained.final_loss,
    )


def _in_order(lesson: Lesson, rows: Examples) -> Lesson:
    return replace(lesson, trained=tuple(row.record_id for row in rows))


def _replayable(lesson: Lesson, policy: TrainingPolicy) -> Mapping[str, Examples]:
    """Of what is remembered, what these strategies may replay: into an expert goes nothing of another task."""
    whose = replays(policy.strategies)
    own = {lesson.task} if whose == "task" else set(lesson.memory) if whose == "adapter" else set[str]()
    return {task: rows for task, rows in lesson.memory.items() if task in own}


def _replayed(strategies: list[Strategy], lesson: Lesson) -> list[Example]:
    """What the strategies replay; a row that two of them ask for is trained on once."""
    rows: list[Example] = []
    for strategy in strategies:
        known = {row.record_id for row in rows}
        rows += [row for row in strategy.rows(lesson) if row.record_id not in known]
    return rows


def _by_task(legacy: list[Example], lesson: Lesson) -> dict[str, int]:
    of_task = {row.record_id: task for task, rows in lesson.memory.items() for row in rows}
    return dict(sorted(Counter(of_task[row.record_id] for row in legacy).items()))
