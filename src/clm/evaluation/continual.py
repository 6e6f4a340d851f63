"""The numbers of continual learning, by their published definitions, over a plain matrix. Pure.

`matrix[i][j]` is the score on task j after update i, higher is better; T is the last update. None, or a row that ends
early, says "not measured". Task j is learned in update l(j), which is j itself where `learned` doesn't say otherwise;
`learned[j]` is None for a task that was never learned. What was not measured is left out of a mean, and a mean of
nothing is None.
"""

import math
from collections.abc import Sequence

from clm.errors import InvalidInput

Score = float | None
Matrix = Sequence[Sequence[Score]]
Learned = Sequence[int | None]


def average_performance(matrix: Matrix, learned: Learned | None = None) -> float | None:
    """Mean over learned tasks of a[T][j] (ACC; Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eq. 2)."""
    last = len(matrix) - 1
    return _mean([_at(matrix, last, j) for j, since in _tasks(matrix, learned) if since <= last])


def backward_transfer(matrix: Matrix, learned: Learned | None = None) -> float | None:
    """Mean over tasks learned before T of a[T][j] - a[l(j)][j] (BWT; Lopez-Paz & Ranzato 2017, eq. 3).

    Below 0: forgotten since it was learned.
    """
    last = len(matrix) - 1
    return _mean(
        [_minus(_at(matrix, last, j), _at(matrix, since, j)) for j, since in _tasks(matrix, learned) if since < last]
    )


def forward_transfer(matrix: Matrix, baseline: Sequence[Score], learned: Learned | None = None) -> float | None:
    """Mean over tasks learned after the first update of a[l(j) - 1][j] - b[j] (FWT; Lopez-Paz & Ranzato 2017, eq. 4).

    b[j]: the score before any learning, here the untouched base's. Above 0: other tasks taught something of this one.
    """
    _check(baseline, "baseline")
    return _mean(
        [
            _minus(_at(matrix, since - 1, j), _of(baseline, j))
            for j, since in _tasks(matrix, learned)
            if 0 < since <= len(matrix)
        ]
    )


def forgetting(matrix: Matrix, learned: Learned | None = None) -> float | None:
    """Mean over tasks learned before T of max over i < T of a[i][j], - a[T][j] (Chaudhry et al. 2018,
    arXiv:1801.10112, eq. 3). Above 0: it was better once. Below 0: it is better than ever.
    """
    last = len(matrix) - 1
    return _mean(
        [
            _minus(best_before(matrix, last, j), _at(matrix, last, j))
            for j, since in _tasks(matrix, learned)
            if since < last
        ]
    )


def forgetting_from_first(matrix: Matrix, learned: Learned | None = None) -> float | None:
    """Mean over tasks learned before T of a[l(j)][j] - a[T][j]: backward transfer, seen as a loss."""
    gained = backward_transfer(matrix, learned)
    return None if gained is None else -gained


def intransigence(matrix: Matrix, reference: Sequence[Score], learned: Learned | None = None) -> float | None:
    """Mean over learned tasks of r[j] - a[l(j)][j] (Chaudhry et al. 2018, eq. 4).

    r[j]: the score of a model that learned the task alone, or all tasks together. Above 0: what was learned before
    keeps the model from learning this.
    """
    _check(reference, "reference")
    return _mean(
        [
            _minus(_of(reference, j), _at(matrix, since, j))
            for j, since in _tasks(matrix, learned)
            if since < len(matrix)
        ]
    )


def general_change(before: Sequence[Score], after: Sequence[Score]) -> float | None:
    """Mean over a small general suite's parts of after - before (general ability delta of TRACE, Wang et al. 2023,
    arXiv:2310.06762). Below 0: general ability was lost to the tasks.
    """
    _check(before, "general suite's scores before")
    _check(after, "general suite's scores after")
    if len(before) != len(after):
        raise InvalidInput(f"The general suite has {len(before)} scores before and {len(after)} after; give the same.")
    return _mean([_minus(late, early) for early, late in zip(before, after, strict=True)])


def best_before(matrix: Matrix, update: int, task: int) -> float | None:
    """The best score on a task in any update before this one."""
    known = [score for row in matrix[:update] if (score := _of(row, task)) is not None]
    return max(known, default=None)


def _tasks(matrix: Matrix, learned: Learned | None) -> list[tuple[int, int]]:
    """(task, update that learned it); refuses what is no score."""
    for number, row in enumerate(matrix):
        _check(row, f"matrix's row {number}")
    count = max(map(len, matrix), default=0)
    if learned is None:
        return [(j, j) for j in range(count)]
    if any(since is not None and since < 0 for since in learned):
        raise InvalidInput(f"Updates are counted from 0; a task can't be learned in {min(filter(None, learned))}.")
    return [(j, since) for j, since in enumerate(learned) if since is not None]


def _check(scores: Sequence[Score], what: str) -> None:
    for position, score in enumerate(scores):
        if score is not None and not math.isfinite(score):
            raise InvalidInput(f"The {what} has {score} at task {position}: give a number, or None if not measured.")


def _at(matrix: Matrix, update: int, task: int) -> Score:
    return _of(matrix[update], task) if 0 <= update < len(matrix) else None


def _of(row: Sequence[Score], task: int) -> Score:
    return row[task] if task < len(row) else None


def _minus(one: Score, other: Score) -> Score:
    return None if one is None or other is None else one - other


def _mean(values: Sequence[Score]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
