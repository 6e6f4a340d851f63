"""Methods that decide who shares an adapter and which rows it sees, and leave the loss alone."""

import random

from clm.policies import TrainingPolicy
from clm.strategies import Joint as JointOptions
from clm.strategies import Replay as ReplayOptions
from clm.training.examples import Example
from clm.training.strategies.hooks import Examples, Lesson, Strategy


class Experts(Strategy):
    """A LoRA expert per task, frozen once released; a router chooses. A refresh replays the task's own older rows.

    Frozen experts behind a discriminant router: O-LoRA's and SAPT's reruns (Zhao et al. 2024, arXiv:2401.08295) show
    where one shared adapter ends; here nothing that a task has learned is ever changed by another.
    """

    name = "experts"

    def rows(self, lesson: Lesson) -> Examples:
        return lesson.memory.get(lesson.task, ())


class Finetune(Strategy):
    """One adapter, trained on with the new rows alone: what forgets (McCloskey & Cohen 1989)."""

    name = "finetune"


class Replay(Strategy):
    """Old rows beside the new ones, equally from all earlier tasks (Rolnick et al. 2019, arXiv:1811.11682).

    An update's rows are drawn when its mixture is made, where a repair may ask for more of them: all those are taken.
    """

    name = "replay"

    def __init__(self, options: ReplayOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._share = options.share

    def rows(self, lesson: Lesson) -> Examples:
        if lesson.drawn:
            return [row for _, rows in sorted(lesson.memory.items()) for row in rows]
        wanted = round(self._share * len(lesson.new))
        picked = random.Random(f"{self.policy.seed}/{lesson.task}")
        queues = [picked.sample(list(rows), len(rows)) for _, rows in sorted(lesson.memory.items())]
        turns = [rows[turn] for turn in range(max(map(len, queues), default=0)) for rows in queues if turn < len(rows)]
        return turns[:wanted]


class Joint(Strategy):
    """Multi-task training: one adapter, fresh, on all rows of its group: the upper bound for one adapter.

    Tasks are drawn with probability ~ size^(1 / temperature) (Raffel et al. 2020, arXiv:1910.10683), so that small
    ones are not drowned; the number of rows stays that of all tasks together.
    """

    name = "joint"

    def __init__(self, options: JointOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._temperature = options.temperature

    def rows(self, lesson: Lesson) -> Examples:
        old = {task: rows for task, rows in sorted(lesson.memory.items()) if rows}
        sizes = {lesson.task: 0, **{task: len(rows) for task, rows in old.items()}}
        sizes[lesson.task] += len(lesson.new)
        heat = {task: size ** (1 / self._temperature) for task, size in sizes.items()}
        total, shares = sum(sizes.values()), sum(heat.values())
        # The new rows stay as they are; older tasks are drawn in proportion to them.
        per_heat = max(len(lesson.new) / heat[lesson.task], total / shares)
        wanted = {task: round(per_heat * heat[task]) for task in sizes}
        wanted[lesson.task] -= len(lesson.new)
        drawn = random.Random(f"{self.policy.seed}/{lesson.task}")
        return [row for task, rows in old.items() for row in _draw(list(rows), max(0, wanted[task]), drawn)]

    def starts_fresh(self, lesson: Lesson) -> bool:
        return True


def _draw(rows: list[Example], count: int, drawn: random.Random) -> list[Example]:
    """So many rows: all of them as often as they fit, then a sample of the rest."""
    whole, rest = divmod(count, len(rows))
    return rows * whole + drawn.sample(rows, rest)
