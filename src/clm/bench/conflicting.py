"""What the benchmark `conflict` delivers: one set's rows, whose labels change on the way, and mistakes.

A label that changes is exported anew: its rows of all earlier deliveries come again with the new name, beside new ones.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from clm.bench.public_sets import Row
from clm.errors import InvalidInput

ChangeKind = Literal["rename", "merge", "swap"]
Mistake = Literal["shuffled", "stuck", "flipped", "half"]
CHANGES: tuple[ChangeKind, ...] = ("rename", "merge", "swap")
MISTAKES: tuple[Mistake, ...] = ("shuffled", "stuck", "flipped", "half")


@dataclass(frozen=True)
class Change:
    """What happens to labels at a refresh: their names until then, and from then on."""

    kind: ChangeKind
    refresh: int  # from 1
    names: Mapping[str, str]


@dataclass(frozen=True)
class Delivery:
    """Rows that come together. `mistake`: what is wrong with them; None: nothing."""

    rows: tuple[Row, ...]
    after: int  # refreshes before it, itself included
    mistake: Mistake | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Story:
    """All deliveries in order, and what is true of each label in the end."""

    deliveries: tuple[Delivery, ...]
    names: Mapping[str, str] = field(default_factory=dict[str, str])  # of the labels that changed

    def truth(self, label: str) -> str:
        return self.names.get(label, label)


def changes(labels: Sequence[str], share: float, refreshes: int, seed: int) -> list[Change]:
    """Renames, merges and swaps in turn until so many labels have another name, evenly over the refreshes.

    Raises InvalidInput where there are too few labels for that.
    """
    waiting = sorted(labels)
    random.Random(f"{seed}/changes").shuffle(waiting)
    wanted = round(share * len(labels))
    picked: list[tuple[ChangeKind, dict[str, str]]] = []
    while (left := wanted - sum(len(names) for _, names in picked)) > 0:
        kind = CHANGES[len(picked) % len(CHANGES)]
        if kind == "swap" and left == 1:
            kind = "rename"
        if len(waiting) < (1 if kind == "rename" else 2):
            raise InvalidInput(f"{len(labels)} labels are too few to change {share:.0%} of them. Lower --changed.")
        one = waiting.pop()
        if kind == "rename":
            picked.append((kind, {one: _other_name(one, labels)}))
        else:
            other = waiting.pop()
            picked.append((kind, {one: other, other: one} if kind == "swap" else {one: other}))
    return [Change(kind, 1 + number * refreshes // len(picked), names) for number, (kind, names) in enumerate(picked)]


def story(
    train: Sequence[Row],
    labels: Sequence[str],
    first: int,
    rows: int,
    refreshes: int,
    bad: int,
    share: float,
    seed: int,
) -> Story:
    """`train`: `first + rows * (refreshes + bad)` rows with their first labels, in the order in which they come."""
    order = random.Random(f"{seed}/mistakes")
    planned = changes(labels, share, refreshes, seed)
    names: dict[str, str] = {}
    known = list(train[:first])
    fresh = iter([train[at : at + rows] for at in range(first, first + rows * (refreshes + bad), rows)])
    deliveries = [Delivery(tuple(known), 0)]
    done = 0
    for number in range(1, refreshes + 1):
        now = tuple(change for change in planned if change.refresh == number)
        moved = {old: new for change in now for old, new in change.names.items()}
        names |= moved
        new = list(next(fresh))
        again = [row for row in known if row["completion"] in moved]
        deliveries.append(Delivery(_named([*again, *new], names), number, None, now))
        known += new
        while done < bad and (done + 1) * refreshes <= number * bad:
            mistake = MISTAKES[done % len(MISTAKES)]
            wrong = _mistaken(mistake, known, next(fresh), names, order)
            deliveries.append(Delivery(wrong, number, mistake))
            done += 1
    return Story(tuple(deliveries), names)


def everything(tale: Story) -> list[Row]:
    """What was delivered without mistakes, as it is true in the end."""
    rows = {row["prompt"]: row for one in tale.deliveries if one.mistake is None for row in one.rows}
    return list(rows.values())


def _mistaken(
    mistake: Mistake, known: Sequence[Row], fresh: Sequence[Row], names: Mapping[str, str], order: random.Random
) -> tuple[Row, ...]:
    """`shuffled`: each answer is another row's; `half`: every second one; `stuck`: all answers are the first one's;
    `flipped`: prompts that were delivered before come again with a wrong answer."""
    rows = order.sample(list(known), len(fresh)) if mistake == "flipped" else list(fresh)
    right = _named(rows, names)
    answers = sorted({row["completion"] for row in _named(known, names)})
    if mistake == "stuck":
        return tuple({**row, "completion": right[0]["completion"]} for row in right)

    def wrong(row: Row) -> Row:
        return {**row, "completion": order.choice([answer for answer in answers if answer != row["completion"]])}

    every = 2 if mistake == "half" else 1
    return tuple(wrong(row) if place % every == 0 else row for place, row in enumerate(right))


def _named(rows: Sequence[Row], names: Mapping[str, str]) -> tuple[Row, ...]:
    return tuple({**row, "completion": names.get(row["completion"], row["completion"])} for row in rows)


def _other_name(label: str, taken: Sequence[str]) -> str:
    """The same words in another order, so that the new name is no harder to say; a single word gets one more."""
    ways: tuple[Callable[[], str], ...] = (
        lambda: " ".join(reversed(label.split())), lambda: f"about {label}", lambda: f"all about {label}",
    )  # fmt: skip
    return next(name for way in ways if (name := way()) != label and name not in taken)
