"""Which rows still hold. Pure: versions of what is known in, what supersedes what out.

A newer row of the same key with another answer supersedes an older one. So does one with the same prompt, where only
one of the two came with a key that the user names. Nothing is taken out of a table for it: whoever reads leaves out
what no longer holds, and the order in which rows arrived doesn't matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from clm.facts import Ruling

Rank = tuple[datetime, datetime]  # event time, then ingestion


@dataclass(frozen=True)
class Version:
    """A row of one task, on either side of the held-out line."""

    record_id: str
    key: str
    prompt_key: str
    answer_key: str
    event_time: datetime
    ingested_at: datetime
    held: bool = False  # it contradicts another, and waits for a person unless there is a ruling on it
    content: str = ""  # what it says to the byte, and on which side of the held-out line


@dataclass(frozen=True)
class Standing:
    superseded: Mapping[str, str] = field(default_factory=dict[str, str])  # record id -> what came after it
    undecided: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()  # they hold, and say only that another row still does

    def holds(self, record_id: str) -> bool:
        return not (record_id in self.superseded or record_id in self.undecided or record_id in self.repeated)


def stand(versions: Iterable[Version], rulings: Sequence[Ruling] = ()) -> Standing:
    """What is superseded and by what, and what is undecided; undecided rows supersede nothing.

    The answers at the newest moment of a key hold: those that came together, or that a person said both hold. Rows
    that were ruled right count as said last of all that they contradicted; those ruled wrong are superseded.
    """
    rows = list(versions)
    ruled = {record_id for ruling in rulings for record_id in (*ruling.wins, *ruling.loses)}
    undecided = frozenset(row.record_id for row in rows if row.held and row.record_id not in ruled)
    superseded = {lost: ruling.wins[0] for ruling in rulings for lost in ruling.loses}
    alive = [row for row in rows if row.record_id not in undecided and row.record_id not in superseded]
    ranks = _ranks(rows, rulings)
    groups: dict[str, list[Version]] = {}
    for row in alive:
        for name in {row.key, row.prompt_key}:
            groups.setdefault(name, []).append(row)
    for group in groups.values():
        if len({row.answer_key for row in group}) > 1:
            for old, new in _older(group, ranks):
                superseded.setdefault(old, new)
    known = {row.record_id for row in rows}
    left = {old: new for old, new in superseded.items() if old in known}
    return Standing(left, undecided, frozenset(_repeated(alive, left, groups, ranks)))


def _repeated(
    alive: Sequence[Version],
    superseded: Mapping[str, str],
    groups: Mapping[str, Sequence[Version]],
    ranks: Mapping[str, Rank],
) -> Iterable[str]:
    """Of equal rows that hold all but one: the first that was said after the last other answer."""
    equal: dict[str, dict[str, Version]] = {}
    for row in alive:
        if row.content and row.record_id not in superseded:
            equal.setdefault(row.content, {})[row.record_id] = row
    for rows in equal.values():
        if len(rows) < 2:
            continue
        ordered = sorted(rows.values(), key=lambda row: (ranks[row.record_id], row.record_id))
        others = [ranks[one.record_id] for row in ordered for name in {row.key, row.prompt_key}
                  for one in groups[name] if one.answer_key != row.answer_key]  # fmt: skip
        last = max(others, default=None)
        kept = next((row for row in ordered if last is None or ranks[row.record_id] > last), ordered[-1])
        yield from (row.record_id for row in ordered if row is not kept)


def _ranks(rows: Sequence[Version], rulings: Sequence[Ruling]) -> dict[str, Rank]:
    ranks: dict[str, Rank] = {}
    for row in rows:  # the same content may stand on both sides: the later of the two counts
        rank = (row.event_time, row.ingested_at)
        ranks[row.record_id] = max(rank, ranks.get(row.record_id, rank))
    for ruling in rulings:
        spoken = [ranks[name] for name in (*ruling.wins, *ruling.loses) if name in ranks]
        for name in ruling.wins:
            if name in ranks:
                ranks[name] = max(spoken)
    return ranks


def _older(group: Sequence[Version], ranks: Mapping[str, Rank]) -> Iterable[tuple[str, str]]:
    """Each row whose answer is not among the newest ones, with the first row after it that says otherwise."""
    ordered = sorted(group, key=lambda row: (ranks[row.record_id], row.record_id))
    newest = ranks[ordered[-1].record_id]
    current = {row.answer_key for row in ordered if ranks[row.record_id] == newest}
    for at, row in enumerate(ordered):
        if row.answer_key not in current:
            yield (
                row.record_id,
                next(later.record_id for later in ordered[at + 1 :] if later.answer_key != row.answer_key
                     and ranks[later.record_id] > ranks[row.record_id]),
            )  # fmt: skip
