"""A task's suite opened into its slices, and what each update did to the old ones and to the new ones. Pure.

The dual track: beside each other, the score on slices that the champion was examined on already (*legacy*) and on those
that the update brings (*new*). Taught prompts (*recall*) stand for themselves: they say what is not forgotten.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from clm.records import SliceKind


@dataclass(frozen=True)
class SliceRow:
    """One stored score of a slice. `release_id` is None for a candidate that was rejected."""

    task: str
    release_id: str | None
    update_id: str | None
    slice: int  # 0: taught prompts
    kind: SliceKind
    is_new: bool
    suite_hash: str
    score: float
    n: int
    stale: int
    created_at: datetime


@dataclass(frozen=True)
class SliceCell:
    release_id: str | None
    number: int | None
    update_id: str | None
    suite_hash: str
    score: float
    n: int
    stale: int
    is_new: bool


@dataclass(frozen=True)
class LedgerSlice:
    slice: int
    kind: SliceKind
    cells: tuple[SliceCell, ...]  # by time


@dataclass(frozen=True)
class Track:
    """One release or rejected update; None: it has no such examples."""

    release_id: str | None
    number: int | None
    update_id: str | None
    legacy: float | None
    new: float | None
    recall: float | None
    stale: int


def slices_of(rows: Sequence[SliceRow], numbers: Mapping[str, int]) -> tuple[LedgerSlice, ...]:
    """Of one task; `numbers` are those of releases by id."""
    groups: dict[tuple[int, SliceKind], list[SliceCell]] = {}
    for row in sorted(rows, key=lambda row: row.created_at):
        cell = SliceCell(row.release_id, numbers.get(row.release_id or ""), row.update_id, row.suite_hash, row.score,
                         row.n, row.stale, row.is_new)  # fmt: skip
        groups.setdefault((row.slice, row.kind), []).append(cell)
    return tuple(LedgerSlice(number, kind, tuple(cells)) for (number, kind), cells in sorted(groups.items()))


def tracks_of(rows: Sequence[SliceRow], numbers: Mapping[str, int]) -> tuple[Track, ...]:
    """Of one task, by time: what a release's own update measured, for as a later one's champion all of it is legacy;
    of a release that no update made, the newest."""
    by_subject: dict[tuple[str | None, str | None], dict[str, list[SliceRow]]] = {}
    for row in sorted(rows, key=lambda row: row.created_at):
        subject = (row.release_id, None if row.release_id else row.update_id)
        by_subject.setdefault(subject, {}).setdefault(row.suite_hash, []).append(row)
    tracks: list[Track] = []
    for (release, update), versions in by_subject.items():
        own = [some for some in versions.values() if any(row.update_id for row in some)]
        newest = [row for row in own[-1] if row.update_id] if own else list(versions.values())[-1]
        by = next((row.update_id for some in versions.values() for row in some if row.update_id), update)
        examined = [row for row in newest if row.kind != "recall"]
        tracks.append(
            Track(
                release,
                numbers.get(release or ""),
                by,
                legacy=_mean([row for row in examined if not row.is_new]),
                new=_mean([row for row in examined if row.is_new]),
                recall=_mean([row for row in newest if row.kind == "recall"]),
                stale=sum(row.stale for row in newest),
            )
        )
    return tuple(tracks)


def _mean(rows: Sequence[SliceRow]) -> float | None:
    count = sum(row.n for row in rows)
    return sum(row.score * row.n for row in rows) / count if count else None
