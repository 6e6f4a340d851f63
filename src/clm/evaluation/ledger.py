"""The ledger: task x release, what was ever known and what was forgotten. Pure.

With a[i][j] the score on task j under release i, T the current release and l(j) the release in which j was learned:

    average performance  mean over learned tasks of a[T][j]
    backward transfer    mean over tasks learned before T of a[T][j] - a[l(j)][j]      (Lopez-Paz & Ranzato 2017)
    forgetting           mean over the same of max over l(j) <= i < T of a[i][j], - a[T][j]  (Chaudhry et al. 2018)

Cells measured on another version of a suite than the newest are shown, but not compared. Rejected candidates are
shown, but are no release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from clm.records import Metric


@dataclass(frozen=True)
class ReleaseFact:
    """What the ledger needs to know of a release: its number and the tasks that it has an expert for."""

    release_id: str
    number: int
    tasks: frozenset[str]


@dataclass(frozen=True)
class LedgerRow:
    """One stored score. `release_id` is None for a candidate that was rejected."""

    task: str
    metric: Metric
    release_id: str | None
    update_id: str | None
    suite_hash: str
    score: float
    n: int
    misrouted: int
    created_at: datetime


@dataclass(frozen=True)
class Cell:
    release_id: str | None
    number: int | None
    update_id: str | None
    suite_hash: str
    score: float
    n: int
    misrouted: int
    state: Literal["released", "rejected"]


@dataclass(frozen=True)
class LedgerTask:
    """`first`: when the task was learned; `previous`: the release before the current one; None: not evaluated."""

    task: str
    metric: Metric
    cells: tuple[Cell, ...]  # by time
    best: float | None
    first: float | None
    previous: float | None
    current: float | None


@dataclass(frozen=True)
class Ledger:
    """None where a number has no meaning yet: backward transfer and forgetting need an earlier task."""

    model: str
    tasks: tuple[LedgerTask, ...]  # in the order in which they were learned
    average_performance: float | None
    backward_transfer: float | None
    forgetting: float | None
    as_of: datetime | None  # when the newest score was made


def build_ledger(
    model: str, rows: Sequence[LedgerRow], releases: Sequence[ReleaseFact], current: str | None = None
) -> Ledger:
    """`current` is the release to judge, by default the newest: after a rollback pass the champion."""
    facts = sorted(releases, key=lambda fact: fact.number)
    now = next((fact for fact in facts if fact.release_id == current), facts[-1] if facts else None)
    learned = {task: fact.number for fact in reversed(facts) for task in fact.tasks}
    number = {fact.release_id: fact.number for fact in facts}

    lines: list[LedgerTask] = []
    earlier: list[LedgerTask] = []  # learned before the current release: what could have been forgotten
    forgotten: list[float] = []
    for task in sorted({row.task for row in rows}, key=lambda name: (learned.get(name, len(facts) + 1), name)):
        cells = tuple(_cell(row, number) for row in sorted(rows, key=lambda row: row.created_at) if row.task == task)
        metric: Metric = next(row.metric for row in rows if row.task == task)
        history = _history(cells, since=learned.get(task, 0), until=now.number if now else 0)
        line = _line(task, metric, cells, history, now)
        lines.append(line)
        if now and line.current is not None and learned.get(task, now.number) < now.number and len(history) > 1:
            earlier.append(line)
            forgotten.append(max(cell.score for cell in history[:-1]) - line.current)

    known = [line.current for line in lines if line.current is not None and now and line.task in now.tasks]
    return Ledger(
        model=model,
        tasks=tuple(lines),
        average_performance=_mean(known),
        backward_transfer=_mean([(line.current or 0) - (line.first or 0) for line in earlier]),
        forgetting=_mean(forgotten),
        as_of=max((row.created_at for row in rows), default=None),
    )


def _cell(row: LedgerRow, number: dict[str, int]) -> Cell:
    released = row.release_id is not None
    return Cell(
        release_id=row.release_id,
        number=number.get(row.release_id or ""),
        update_id=row.update_id,
        suite_hash=row.suite_hash,
        score=row.score,
        n=row.n,
        misrouted=row.misrouted,
        state="released" if released else "rejected",
    )


def _history(cells: tuple[Cell, ...], since: int, until: int) -> list[Cell]:
    """Comparable cells of one task by release number: from the release that learned it to the current one."""
    numbered = [cell for cell in cells if cell.number is not None and since <= cell.number <= until]
    if not numbered:
        return []
    suite = max(numbered, key=lambda cell: cell.number or 0).suite_hash
    return sorted((cell for cell in numbered if cell.suite_hash == suite), key=lambda cell: cell.number or 0)


def _line(
    task: str, metric: Metric, cells: tuple[Cell, ...], history: list[Cell], now: ReleaseFact | None
) -> LedgerTask:
    at_current = bool(history and now and history[-1].number == now.number)
    before = history[:-1] if at_current else history
    return LedgerTask(
        task=task,
        metric=metric,
        cells=cells,
        best=max((cell.score for cell in history), default=None),
        first=history[0].score if history else None,
        previous=before[-1].score if before else None,
        current=history[-1].score if at_current else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
