"""The ledger: task x release, what was ever known and what was forgotten. Pure.

The numbers over it (average performance, backward and forward transfer, forgetting) are those of
`clm.evaluation.continual`, with the releases that hold an expert as updates, up to the one that is judged.

Cells measured on another version of a suite than the newest are shown, but not compared. Rejected candidates are
shown, but are no release.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Literal, TypedDict

from clm.evaluation import continual
from clm.evaluation.tracks import LedgerSlice, SliceRow, Track, slices_of, tracks_of
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
    slices: tuple[LedgerSlice, ...] = ()
    tracks: tuple[Track, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """None where a number has no meaning yet: all but the average need an earlier task, forward transfer also the
    untouched base's scores."""

    model: str
    tasks: tuple[LedgerTask, ...]  # in the order in which they were learned
    average_performance: float | None
    backward_transfer: float | None
    forward_transfer: float | None
    forgetting: float | None  # since its best
    forgetting_from_first: float | None
    general_change: float | None  # over tasks that no release was taught, since the untouched base
    as_of: datetime | None  # when the newest score was made


def build_ledger(
    model: str,
    rows: Sequence[LedgerRow],
    releases: Sequence[ReleaseFact],
    current: str | None = None,
    slices: Sequence[SliceRow] = (),
) -> Ledger:
    """`current` is the release to judge, by default the newest: after a rollback pass the champion."""
    facts = sorted(releases, key=lambda fact: fact.number)
    now = next((fact for fact in facts if fact.release_id == current), facts[-1] if facts else None)
    learned = {task: fact.number for fact in reversed(facts) for task in fact.tasks}
    number = {fact.release_id: fact.number for fact in facts}

    lines: list[LedgerTask] = []
    columns: list[_Column] = []
    for task in sorted({row.task for row in rows}, key=lambda name: (learned.get(name, len(facts) + 1), name)):
        cells = tuple(_cell(row, number) for row in sorted(rows, key=lambda row: row.created_at) if row.task == task)
        metric: Metric = next(row.metric for row in rows if row.task == task)
        history = _history(cells, since=learned.get(task, 0), until=now.number if now else 0)
        opened = [row for row in slices if row.task == task]
        line = _line(task, metric, cells, history, now)
        lines.append(replace(line, slices=slices_of(opened, number), tracks=tracks_of(opened, number)))
        columns.append(_Column(cells, history, counts=now is not None and task in now.tasks, taught=task in learned))

    return Ledger(
        model=model,
        tasks=tuple(lines),
        **_numbers(columns, [fact for fact in facts if now is not None and fact.number <= now.number]),
        as_of=max((row.created_at for row in rows), default=None),
    )


@dataclass(frozen=True)
class Best:
    """A task's best release, of how many that differ."""

    release_id: str
    number: int
    score: float
    chosen_from: int


def best_releases(
    rows: Sequence[LedgerRow], releases: Sequence[ReleaseFact], current: str | None = None
) -> dict[str, Best]:
    """By task: the best comparable score up to the current release, the newest of equals."""
    bests: dict[str, Best] = {}
    facts = sorted(releases, key=lambda fact: fact.number)
    now = next((fact.number for fact in facts if fact.release_id == current), facts[-1].number if facts else 0)
    learned = {task: fact.number for fact in reversed(facts) for task in fact.tasks}
    number = {fact.release_id: fact.number for fact in facts}
    for task in sorted({row.task for row in rows} & set(learned)):
        cells = tuple(_cell(row, number) for row in rows if row.task == task)
        history = _history(cells, since=learned[task], until=now)
        if not history:
            continue
        best = max(history, key=lambda cell: (cell.score, cell.number or 0))
        alike = sum(a.score == b.score and a.misrouted == b.misrouted for a, b in pairwise(history))
        bests[task] = Best(best.release_id or "", best.number or 0, best.score, len(history) - alike)
    return bests


@dataclass(frozen=True)
class _Column:
    cells: tuple[Cell, ...]
    history: list[Cell]
    counts: bool  # the current release holds an expert for the task
    taught: bool  # some release does


class _Numbers(TypedDict):
    average_performance: float | None
    backward_transfer: float | None
    forward_transfer: float | None
    forgetting: float | None
    forgetting_from_first: float | None
    general_change: float | None


def _numbers(columns: Sequence[_Column], facts: Sequence[ReleaseFact]) -> _Numbers:
    updates = [fact.number for fact in facts if fact.tasks]
    base = next((fact.number for fact in facts if not fact.tasks), None)
    scores = [_comparable(column) for column in columns]
    untouched = [None if base is None else known.get(base) for known in scores]
    matrix = [[known.get(number) for known in scores] for number in updates]
    general = [j for j, column in enumerate(columns) if not column.taught]
    learned = [updates.index(c.history[0].number) if c.counts and c.history and c.history[0].number in updates else None
               for c in columns]  # fmt: skip
    return {
        "average_performance": continual.average_performance(matrix, learned),
        "backward_transfer": continual.backward_transfer(matrix, learned),
        "forward_transfer": continual.forward_transfer(matrix, untouched, learned),
        "forgetting": continual.forgetting(matrix, learned),
        "forgetting_from_first": continual.forgetting_from_first(matrix, learned),
        "general_change": continual.general_change(
            [untouched[j] for j in general], [matrix[-1][j] if matrix else None for j in general]
        ),
    }


def _comparable(column: _Column) -> dict[int, float]:
    """Scores by release number, on the version of the suite that counts; also those from before it was learned."""
    suite = column.history[0].suite_hash if column.history else None
    return {cell.number: cell.score for cell in column.cells if cell.number is not None and cell.suite_hash == suite}


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
    suite = max(reversed(numbered), key=lambda cell: cell.number or 0).suite_hash  # the newest of equals
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
