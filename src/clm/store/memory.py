"""Which old rows of a task are kept to be replayed. Pure: arrays in, an order of preference out.

A policy puts rows in order, the one most worth keeping first; `choose` takes them in that order while the budget
lasts. The same rows and seed give the same choice, in whatever order the rows come.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clm.errors import InvalidInput, unknown_name

Order = Iterable[int]  # indices of rows, most wanted first; rows that must not be kept are missing
Need = Literal["losses", "features"]
OUTLIERS = 0.05  # share of rows with the highest losses that `surprising` takes for mislabelled


@dataclass(frozen=True)
class Rows:
    """Old rows of one task."""

    record_ids: Sequence[str]
    answers: Sequence[str]
    sizes: Sequence[int]  # bytes of content
    losses: NDArray[np.float64] | None = None  # [rows], mean nats per label token
    features: NDArray[np.float32] | None = None  # [rows, d], of the untouched base


def lottery(rows: Rows, seed: str) -> list[int]:
    """A fair draw in which every record keeps its lot for good.

    So what is left of old rows and new ones together is a fair sample of all rows ever seen, as a reservoir gives
    (Vitter 1985), although most of them are no longer looked at.
    """
    lots = [hashlib.sha256(f"{seed} {record_id}".encode()).digest() for record_id in rows.record_ids]
    return sorted(range(len(lots)), key=lots.__getitem__)


def in_turn(rows: Rows, seed: str) -> list[int]:
    """An equal share for every answer, as far as it has rows: by lot one of each, then a second of each, and so on."""
    turns: dict[str, int] = {}
    turn: dict[int, int] = {}
    drawn = lottery(rows, seed)
    for index in drawn:
        turn[index] = turns[rows.answers[index]] = turns.get(rows.answers[index], -1) + 1
    return sorted(drawn, key=turn.__getitem__)


def herding(rows: Rows, seed: str) -> Iterator[int]:
    """Each next row brings the mean of the kept ones nearest to the mean of all (Welling 2009; iCaRL, Rebuffi 2017).

    Every prefix is a good memory. Features are standardised first: a few dimensions of a language model's states are
    a hundred times larger than the rest, and would decide alone.
    """
    drawn = np.array(lottery(rows, seed), np.int64)  # settles ties
    features = _given(rows.features, "features")[drawn]
    spread = features.std(axis=0)
    points = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    cost = (points**2).sum(axis=1)  # |total + point|^2 - |total|^2; infinite once the row is taken
    total = np.zeros(points.shape[1])
    for _ in drawn:
        at = int(np.argmin(2 * points @ total + cost))
        total += points[at]
        cost[at] = np.inf
        yield int(drawn[at])


def surprising(rows: Rows, seed: str) -> list[int]:
    """Highest loss first; the very highest are left out, for those are mostly mislabelled rows."""
    losses = _given(rows.losses, "losses")
    ceiling = np.quantile(losses, 1 - OUTLIERS)
    return sorted((i for i in lottery(rows, seed) if losses[i] <= ceiling), key=lambda i: -losses[i])


@dataclass(frozen=True)
class Policy:
    order: Callable[[Rows, str], Order]
    needs: Need | None = None  # what has to be measured of every row after a training


POLICIES: Mapping[str, Policy] = {
    "random": Policy(lottery),
    "balanced": Policy(in_turn),
    "diverse": Policy(herding, needs="features"),
    "surprising": Policy(surprising, needs="losses"),
    "feedback": Policy(in_turn),  # chooses as `balanced`; how many, `urgency` says
}


def by_name(policy: str) -> Policy:
    if policy not in POLICIES:
        raise unknown_name("memory policy", policy, list(POLICIES))
    return POLICIES[policy]


def choose(policy: str, rows: Rows, *, most: int, most_bytes: int, seed: int) -> list[int]:
    """Indices of the rows to keep, the most wanted first: `most` at most, with `most_bytes` of content at most.

    Raises InvalidInput where a row's loss or features are not finite, NotFound for an unknown policy.
    """
    kept: list[int] = []
    left = most_bytes
    _check_finite(rows)
    order = by_name(policy).order
    for index in order(rows, str(seed)) if rows.record_ids else ():
        if len(kept) == most:
            break
        if rows.sizes[index] <= left:  # a long row may not fit where a later, shorter one does
            kept.append(index)
            left -= rows.sizes[index]
    return kept


def draw(policy: str, rows: Rows, count: int, seed: str) -> list[int]:
    """Rows of a memory that one update replays: by lot, in turn over the answers where the memory is balanced."""
    order = in_turn if by_name(policy).order is in_turn else lottery
    return order(rows, seed)[:count]


def urgency(slipped: float, margin: float) -> float:
    """From 0 (nothing is lost) to 1 (as much as the gate's margin, or more).

    `feedback` keeps from half to all of its budget with it, and replays from once to twice the policy's share.
    """
    return min(1.0, max(0.0, slipped) / margin)


def split(count: float, weights: Mapping[str, float], available: Mapping[str, int]) -> dict[str, int]:
    """`count` rows shared out by weight; what one task doesn't have goes to the others. Infinite: all there are."""
    given = dict.fromkeys(weights, 0)
    left = sum(available[task] for task in weights)
    left = round(count) if count < left else left
    while left > 0:
        open_tasks = [task for task in weights if given[task] < available[task]]
        total = sum(weights[task] for task in open_tasks)
        if total <= 0:
            break
        shares = {task: left * weights[task] / total for task in open_tasks}
        for task in sorted(open_tasks, key=lambda name: (-shares[name], name)):
            more = min(max(1, int(shares[task])), available[task] - given[task], left) if weights[task] > 0 else 0
            given[task] += more
            left -= more
    return given


def _given(scores: NDArray[np.float64] | NDArray[np.float32] | None, need: Need) -> NDArray[np.float64]:
    if scores is None:
        raise InvalidInput(f"This memory policy goes by the rows' {need}, and they were not measured.")
    return scores.astype(np.float64)


def _check_finite(rows: Rows) -> None:
    for need, scores in (("loss", rows.losses), ("features", rows.features)):
        if scores is None or not len(scores):
            continue
        bad = ~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1)
        if bad.any():
            raise InvalidInput(
                f"Of {int(bad.sum())} rows the {need} is not a finite number, first of record "
                f"{rows.record_ids[int(bad.argmax())]}: the expert or the base is broken, so no memory is made with it."
            )
