"""One task's candidate against one other release, example by example. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clm.evaluation.bounds import Array, Bounds, discordant, paired_bounds, right_or_wrong, tango_bounds
from clm.evaluation.sequential import examining_order, look_sizes, sequential_p
from clm.evaluation.significance import excess_p

_MOST_TIMES = 100


@dataclass(frozen=True)
class ExampleScore:
    example_id: str
    score: float  # [0, 1]


@dataclass(frozen=True)
class Comparison:
    """Scores of the same examples in examining order; `whole` is how many the suite has."""

    ours: Array
    theirs: Array
    margin: float
    whole: int
    chosen_from: int = 1  # releases of which the other one was picked for its score

    @property
    def n(self) -> int:
        return len(self.ours)

    @property
    def complete(self) -> bool:
        return self.n == self.whole

    def bounds(self, confidence: float) -> Bounds:
        return paired_bounds(self.ours, self.theirs, confidence)

    def missing(self, confidence: float) -> int | None:
        """About how many more examples would decide at this confidence, if what was seen goes on; None where it would
        take more than 100 times as many: the difference lies too close to the margin."""
        bounds = self.bounds(confidence)
        if right_or_wrong(self.ours, self.theirs):
            times = self._times_as_many(bounds.difference > -self.margin, confidence)
        else:  # half-widths shrink at least as sqrt(n)
            distance = abs(bounds.difference + self.margin)
            above = bounds.difference > -self.margin
            width = bounds.difference - bounds.lower if above else bounds.upper - bounds.difference
            times = (width / distance) ** 2 if distance * _MOST_TIMES**0.5 > width else math.inf
        return None if times >= _MOST_TIMES else max(1, math.ceil(self.n * times) - self.n)

    def _times_as_many(self, towards_pass: bool, confidence: float) -> float:
        won, lost = discordant(self.ours, self.theirs)
        low, high = 1.0, float(_MOST_TIMES)
        for _ in range(30):
            times = math.sqrt(low * high)
            bounds = tango_bounds(won * times, lost * times, self.n * times, confidence)
            enough = bounds.lower >= -self.margin if towards_pass else bounds.upper < -self.margin
            low, high = (low, times) if enough else (times, high)
        return high

    def claim_p(self, early_stop: bool) -> float:
        """p-value of "loses no more than the margin" with all looks that were taken.

        The best of many releases owes its score to luck as well. Who is shown to be worse than that one is shown to be
        worse than one of them, hence the factor (Bonferroni).
        """

        def p_of_first(size: int) -> float:
            return excess_p(self.ours[:size], self.theirs[:size], self.margin)

        p = sequential_p(p_of_first, self.whole, self.n) if early_stop else p_of_first(self.n)
        return min(1.0, p * self.chosen_from)


def trouble(
    ours: Sequence[ExampleScore], theirs: Sequence[ExampleScore], margin: float | None, early_stop: bool, other: str
) -> str | None:
    """Why these scores can't be compared; None if they can."""
    if margin is None or not 0 < margin < 1:
        return f"needs a margin between 0 and 1, got {margin}"
    if not ours or not theirs:
        return f"no scores of {other if ours else 'the candidate'}"
    our_ids = {example.example_id for example in ours}
    their_ids = {example.example_id for example in theirs}
    if len(our_ids) < len(ours) or len(their_ids) < len(theirs):
        return "an example was scored twice"
    if our_ids != their_ids and not (early_stop and _stopped_early(our_ids, their_ids)):
        return f"{len(our_ids ^ their_ids)} examples were scored for only one of {other} and the candidate"
    if not all(0 <= example.score <= 1 for example in (*ours, *theirs)):  # NaN fails this too
        return "a score is not a number between 0 and 1"
    return None


def compare(
    ours: Sequence[ExampleScore], theirs: Sequence[ExampleScore], margin: float, chosen_from: int = 1
) -> Comparison:
    """Of scores without trouble."""
    mine = {example.example_id: example.score for example in ours}
    other = {example.example_id: example.score for example in theirs}
    order = examining_order(mine)
    return Comparison(
        np.array([mine[example] for example in order]),
        np.array([other[example] for example in order]),
        margin,
        whole=len(other),
        chosen_from=chosen_from,
    )


def clearly_worse(
    ours: Sequence[ExampleScore], theirs: Sequence[ExampleScore], margin: float, confidence: float, claims: int
) -> bool:
    """Whether answering can end here: `ours`, as many as a look sees, will fail the gate whatever comes of the rest.

    `claims`: how many comparisons the gate will make. Holm's correction never asks more of one than this does.
    """
    if trouble(ours, theirs, margin, early_stop=True, other="the champion"):
        return False
    return compare(ours, theirs, margin).claim_p(early_stop=True) * claims <= 1 - confidence


def _stopped_early(our_ids: set[str], their_ids: set[str]) -> bool:
    """Whether ours are just those that a look would have seen: then nothing went missing by accident."""
    return len(our_ids) in look_sizes(len(their_ids)) and our_ids == set(examining_order(their_ids)[: len(our_ids)])
