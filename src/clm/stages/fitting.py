"""Rows and held-out examples that this base and this policy can't use, found before a job meets them.

They passed on arrival: the policy's longest example was lowered since, or nothing could check them then.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from clm.errors import InvalidInput
from clm.llm.fitness import Fitness
from clm.records import Json, Shape

SHOWN = 20  # records that are named in a stage's detail


class Examiner:
    """Asked of each held-out example; remembers the ones that can't be asked, and why."""

    def __init__(self, fitness: Fitness | str, metrics: Mapping[str, str]) -> None:
        self._fitness = fitness
        self._metrics = metrics
        self._kept: Counter[str] = Counter()
        self._first: dict[str, str] = {}  # per task, the first that can't be asked
        self.left_out: dict[str, str] = {}

    def keep(self, row: Json) -> bool:
        unfit = None
        if isinstance(self._fitness, Fitness):
            metric = self._metrics[row["task"]]
            unfit = self._fitness.exam_of(row["shape"], row["content"], metric)
        if unfit is None:
            self._kept[row["task"]] += 1
            return True
        self.left_out[row["record_id"]] = str(unfit)
        self._first.setdefault(row["task"], f" The first: {row['record_id']}: {unfit}")
        return False

    def check_left(self, tasks: Collection[str]) -> None:
        """Raises InvalidInput where a task has no example left."""
        empty = [task for task in sorted(tasks) if not self._kept[task]]
        if empty:
            raise InvalidInput(
                f"No held-out example of task {empty[0]!r} can be asked. Bring others: "
                f"clm ingest FILE --task {empty[0]} --suite.{self._first.get(empty[0], '')}"
            )


def unfit_to_train(fitness: Fitness | str, shape: Shape, content: Json) -> str | None:
    unfit = fitness.training(shape, content) if isinstance(fitness, Fitness) else None
    return None if unfit is None else str(unfit)


def told(left_out: Mapping[str, str]) -> dict[str, str]:
    """The first of them, for a stage's detail."""
    return dict(sorted(left_out.items())[:SHOWN])


def sentence(left_out: Mapping[str, str], what: str) -> str:
    """What the log says of them; empty where there are none."""
    if not left_out:
        return ""
    named = "; ".join(f"{record}: {reason.rstrip('.')}" for record, reason in list(told(left_out).items())[:3])
    more = f"; and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    return f" {len(left_out)} {what} left out: {named}{more}."
