"""One task's candidate against one other release, example by example. Pure."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clm.evaluation import betting, exact
from clm.evaluation.bounds import Array, tango_bounds
from clm.evaluation.likelihood import log_odds
from clm.evaluation.sequential import examining_order, look_sizes, sequential_p
from clm.evaluation.significance import excess_p, mcnemar_p
from clm.facts import SliceKind

OF_TASKS = 0.5  # of the error rate of a fail, where suites have slices, which get the rest
_MOST_TIMES = 100
_CAUTION = 1.1  # the exact test asks for a little more than the score bounds
_FEW = 0.1  # of the pairs may differ by a part of a point and still be judged by counts


@dataclass(frozen=True)
class ExampleScore:
    example_id: str
    score: float  # [0, 1]
    likelihood: float | None = None  # mean natural log-likelihood per token of the right answer; None: not measured
    answered_by: str | None = None  # hash of the expert, or BASE; None: not known
    slice: int = 0
    kind: SliceKind = "held_out"
    stale: bool = False  # gives an answer that was superseded


@dataclass(frozen=True)
class Comparison:
    """Scores of the same examples in examining order; `whole` is how many the suite has."""

    ours: Array
    theirs: Array
    margin: float
    whole: int
    chosen_from: int  # releases of which the other one was picked for its score
    likelihoods: tuple[Array, Array] | None  # of the right answers: ours and theirs; None: not measured everywhere
    changed: NDArray[np.bool_]  # another expert answers, or it is not known
    dice: Array  # [n] in [0, 1), by example: a part of a point counts as a whole one that often

    @property
    def n(self) -> int:
        return len(self.ours)

    @property
    def complete(self) -> bool:
        return self.n == self.whole

    @property
    def difference(self) -> float:
        return float((self.ours - self.theirs).mean())

    @cached_property
    def differences(self) -> Array:
        return self.ours - self.theirs

    @cached_property
    def by_counts(self) -> bool:
        """Whether all pairs, but for a few, differ by a whole point or not at all."""
        parts = np.abs(self.differences)
        return int(((parts > 0) & (parts < 1)).sum()) <= _FEW * self.n

    @property
    def whole_points(self) -> NDArray[np.bool_]:
        """[n]: pairs whose difference counts as a whole point."""
        return np.abs(self.differences) > self.dice

    @cached_property
    def odds(self) -> tuple[Array, Array] | None:
        """Log-odds of the right answers: ours and theirs."""
        return None if self.likelihoods is None else (log_odds(self.likelihoods[0]), log_odds(self.likelihoods[1]))

    @cached_property
    def counts(self) -> tuple[int, int]:
        """Pairs that the candidate won and lost. A part of a point is a whole one as often as it is large: the mean
        stays what it is, and the exact test is valid for it."""
        return self._counts(self.n)

    def _counts(self, first: int) -> tuple[int, int]:
        parts, whole = self.differences[:first], self.whole_points[:first]
        return int((whole & (parts > 0)).sum()), int((whole & (parts < 0)).sum())

    def ruled_out_p(self) -> float:
        """p-value of "the candidate loses the margin or more", from its scores alone."""
        if self.difference <= -self.margin:
            return 1.0
        if self.by_counts:
            return exact.loss_ruled_out_p(*self.counts, self.n, self.margin)
        return betting.loss_ruled_out_p(self.differences, self.margin)

    def loss_p(self) -> float:
        """p-value of "the candidate is no worse"."""
        if self.by_counts:
            return mcnemar_p(*self.counts)
        return betting.loss_shown_p(self.differences, 0.0)

    def lower(self, level: float) -> float:
        """Confidence bound of the difference at this level. Of counts the score bound, or the margin itself where the
        exact test, which decides, sees it on the other side."""
        if not self.by_counts:
            return betting.lower_bound(self.differences, level)
        bound = tango_bounds(*self.counts, self.n, 1 - level).lower
        bound = max(bound, -self.margin) if self.ruled_out_p() <= level else min(bound, -self.margin)
        return min(bound, self.difference)

    def upper(self, level: float) -> float:
        if not self.by_counts:
            return -betting.lower_bound(-self.differences, level)
        return max(tango_bounds(*self.counts, self.n, 1 - level).upper, self.difference)

    def chance_to_pass(self, level: float) -> float:
        """How likely an update that changes nothing passes by its scores, if as many pairs differ as here."""
        if self.by_counts:
            share = sum(self.counts) / (2 * self.n)
            return exact.pass_probability(self.n, self.margin, level, share, share)
        error = float(self.differences.std()) / math.sqrt(self.n)
        if self.n < exact.fewest_to_pass(self.margin, level):
            return 0.0
        return 1.0 if error == 0 else NormalDist().cdf(self.margin / error + NormalDist().inv_cdf(level))

    def missing(self, level: float) -> int | None:
        """About how many more examples would decide at this level, if what was seen goes on; None where it would take
        more than 100 times as many: the difference lies too close to the margin."""
        towards_pass = self.difference > -self.margin
        if self.by_counts:
            times = self._times_as_many(towards_pass, level)
        else:  # half-widths shrink at least as sqrt(n)
            distance = abs(self.difference + self.margin)
            width = self.difference - self.lower(level) if towards_pass else self.upper(level) - self.difference
            times = (width / distance) ** 2 if distance * _MOST_TIMES**0.5 > width else math.inf
        fewest = exact.fewest_gains_to_pass if self.difference > 0 else exact.fewest_to_pass
        least = fewest(self.margin, level) if towards_pass else 0
        return None if times >= _MOST_TIMES else max(1, max(math.ceil(self.n * times * _CAUTION), least) - self.n)

    def _times_as_many(self, towards_pass: bool, level: float) -> float:
        won, lost = self.counts
        low, high = 1.0, float(_MOST_TIMES)
        for _ in range(30):
            times = math.sqrt(low * high)
            bounds = tango_bounds(won * times, lost * times, self.n * times, 1 - level)
            enough = bounds.lower >= -self.margin if towards_pass else bounds.upper < -self.margin
            low, high = (low, times) if enough else (times, high)
        return high

    def claim_p(self, early_stop: bool) -> float:
        """p-value of "loses no more than the margin" with all looks that were taken.

        The best of many releases owes its score to luck as well. Who is shown to be worse than that one is shown to be
        worse than one of them, hence the factor (Bonferroni).
        """

        def p_of_first(size: int) -> float:
            return excess_p(*self._counts(size), size, self.margin)

        if not self.by_counts:  # a bet may be looked at after every example
            p = betting.loss_shown_p(self.differences, self.margin)
        else:
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
    mine = {example.example_id: example for example in ours}
    other = {example.example_id: example for example in theirs}
    pairs = [(mine[name], other[name]) for name in examining_order(mine)]
    return Comparison(
        np.array([a.score for a, _ in pairs]),
        np.array([b.score for _, b in pairs]),
        margin,
        len(other),
        chosen_from,
        _likelihoods(pairs),
        np.array([a.answered_by is None or a.answered_by != b.answered_by for a, b in pairs]),
        np.array([_die(a.example_id) for a, _ in pairs]),
    )


def clearly_worse(
    ours: Sequence[ExampleScore], theirs: Sequence[ExampleScore], margin: float, confidence: float, claims: int
) -> bool:
    """Whether answering can end here: `ours`, as many as a look sees, will fail the gate whatever comes of the rest.

    `claims`: how many comparisons the gate will make. Holm's correction never asks more of one than this does.
    """
    if trouble(ours, theirs, margin, early_stop=True, other="the champion"):
        return False
    return compare(ours, theirs, margin).claim_p(early_stop=True) * claims <= OF_TASKS * (1 - confidence)


def _likelihoods(pairs: Sequence[tuple[ExampleScore, ExampleScore]]) -> tuple[Array, Array] | None:
    """None unless all are there and numbers: what was not measured is no evidence."""
    sides = [[example.likelihood for example in side] for side in zip(*pairs, strict=True)]
    known = [np.array([math.nan if value is None else value for value in side], float) for side in sides]
    return None if any(np.isnan(side).any() for side in known) else (known[0], known[1])


@lru_cache(maxsize=100_000)
def _die(example_id: str) -> float:
    """In [0, 1), the same for the same example always: the same scores give the same verdict."""
    digest = hashlib.sha256(f"rounding 1 {example_id}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _stopped_early(our_ids: set[str], their_ids: set[str]) -> bool:
    """Whether ours are just those that a look would have seen: then nothing went missing by accident."""
    return len(our_ids) in look_sizes(len(their_ids)) and our_ids == set(examining_order(their_ids)[: len(our_ids)])
