"""One update's learning with any composition of methods. Usable without a server or a database:

policy = TrainingPolicy(strategies=("replay", "distill"))
lesson = Lesson(base, "colours", new=rows, memory={"towns": old_rows}, old=adapter, state=state)
learned = learn(lesson, policy)  # the next update's lesson takes learned.expert and learned.state
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from clm.errors import InvalidInput
from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.training.loop import Progress, train
from clm.training.strategies import build_strategies
from clm.training.strategies.hooks import Lesson, Method, Strategy


@dataclass(frozen=True)
class Learned:
    expert: Expert
    state: dict[str, Tensor]  # what the methods need at the next update; saved with the release
    notes: dict[str, Any]  # what a method chose, such as frozen layers; and "rows": new and legacy by task
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
    legacy = [row for strategy in strategies for row in strategy.rows(lesson)]
    texts = [row for strategy in strategies for row in strategy.texts(lesson)]
    apart = {row.record_id for row in texts}
    rows = [*(row for row in lesson.new if row.record_id not in apart), *legacy]
    start, seed = lesson.old, policy.seed
    if lesson.old and any(strategy.starts_fresh(lesson) for strategy in strategies):
        start, seed = None, policy.seed + lesson.old.rank  # other random directions than the old adapter began with

    first = None
    if texts and (epochs := max(strategy.text_epochs() for strategy in strategies)):
        reading = policy.model_copy(update={"epochs": epochs})
        folder = checkpoints / "texts" if checkpoints else None
        first = train(lesson.base, texts, reading, start, folder, on_progress, seed)
        start = first.expert
    if not rows and first is None:
        raise InvalidInput("The mixture holds no example; an update needs at least two. Ingest more rows of this task.")

    method = Method(strategies, lesson)
    trained = train(lesson.base, rows, policy, start, checkpoints, on_progress, seed, method) if rows else first
    assert trained is not None  # there were rows or texts
    return Learned(
        expert=trained.expert,
        state=trained.state,
        notes={**method.notes(), "rows": _balance(lesson, strategies, len(lesson.new))},
        steps=trained.steps + (first.steps if first and rows else 0),
        tokens=trained.tokens + (first.tokens if first and rows else 0),
        seconds=trained.seconds + (first.seconds if first and rows else 0),
        final_loss=trained.final_loss,
    )


def _balance(lesson: Lesson, strategies: list[Strategy], new: int) -> dict[str, Any]:
    """How many rows are new, and how many of which task are legacy."""
    of_task = {row.record_id: task for task, rows in lesson.memory.items() for row in rows}
    legacy = Counter(of_task[row.record_id] for strategy in strategies for row in strategy.rows(lesson))
    return {"new": new, "legacy": dict(sorted(legacy.items()))}
