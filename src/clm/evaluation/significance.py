"""Tests that claim a loss from paired scores, their correction for many tasks, and the power of the gate. Pure."""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clm.evaluation.bounds import (
    RESAMPLES,
    Array,
    discordant,
    likeliest_losing,
    resampled_means,
    right_or_wrong,
    score_statistic,
)

_NORMAL = NormalDist()
_TAIL = 1e-9  # probability that may be left out of a power


def loss_p(candidate: Array, champion: Array) -> float:
    """One-sided p-value of "the candidate is no worse", from [n] paired scores."""
    if right_or_wrong(candidate, champion):
        return mcnemar_p(*discordant(candidate, champion))
    return bootstrap_p(candidate - champion, 0.0)


def excess_p(candidate: Array, champion: Array, margin: float) -> float:
    """One-sided p-value of "the candidate loses no more than the margin".

    For right/wrong scores the largest of three: the score test's, as the bounds have it; the exact probability of such
    a loss under the likeliest rates, for the score test is too sure of itself far out, where corrections for tasks and
    looks lead; and that of "is no worse", so that what did not change is rejected at the stated rate at most.
    """
    if float((candidate - champion).mean()) >= -margin:
        return 1.0
    if right_or_wrong(candidate, champion):
        won, lost = discordant(candidate, champion)
        beyond = _NORMAL.cdf(score_statistic(won, lost, len(candidate), -margin))
        return max(beyond, _tail_p(won, lost, len(candidate), margin), mcnemar_p(won, lost))
    return bootstrap_p(candidate - champion, margin)


def mcnemar_p(won: int, lost: int) -> float:
    """Exact one-sided McNemar test (McNemar 1947): of all examples on which just one of both was right, each went to
    either with probability ½ if nothing got worse. P(candidate wins `won` or fewer of them)."""
    differ = won + lost
    return sum(math.comb(differ, wins) for wins in range(won + 1)) / 2**differ


@lru_cache(maxsize=4096)
def _tail_p(won: int, lost: int, n: int, margin: float) -> float:
    """P(net loss of `lost - won` or more of n pairs) where the candidate truly loses the margin, with the rates of
    winning and losing that make what was seen likeliest (estimated p-value, Lloyd 2008, Biometrika 95:939-951)."""
    losing = likeliest_losing(won, lost, n, -margin)
    differing = losing + max(losing - margin, 0.0)
    total = 0.0
    pairs = np.arange(n + 1)
    weights = _binomials(pairs, n, differing)
    for differ in range(lost - won, n + 1):
        if weights[differ] > _TAIL:
            least = math.ceil((differ + lost - won) / 2)
            total += weights[differ] * float(_binomials(pairs[least : differ + 1], differ, losing / differing).sum())
    return min(1.0, total)


def bootstrap_p(difference: Array, margin: float) -> float:
    """Share of resampled means at or above -margin (Efron 1979): the level at which `bootstrap_bounds` would just
    show a loss of more than the margin, with the same floor under its width."""
    beyond = max(0.0, -margin - float(difference.mean()))
    above = int((resampled_means(difference) >= -margin).sum())
    widest = math.inf if beyond >= 1 else math.sqrt(len(difference) * beyond / (1 - beyond))
    return max((1 + above) / (1 + RESAMPLES), 1 - _NORMAL.cdf(widest))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979, Scandinavian Journal of Statistics 6:65-70): rejecting where they are at most α
    makes any wrong rejection among all of them no likelier than α, however they depend on each other."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def power(candidate: Array, champion: Array, margin: float, confidence: float) -> float:
    """How likely an update that changes nothing passes with this many examples, if it differs from the champion on
    as many of them as was seen here, as often for the better as for the worse."""
    n = len(candidate)
    if right_or_wrong(candidate, champion):
        return _power_of_score_test(sum(discordant(candidate, champion)), n, margin, _NORMAL.inv_cdf(confidence))
    z = _NORMAL.inv_cdf(confidence)
    error = float((candidate - champion).std()) / math.sqrt(n)
    room = margin - z * z / (n + z * z)  # the bound is never narrower than this floor
    if room < 0:
        return 0.0
    return 1.0 if error == 0 else max(0.0, _NORMAL.cdf(margin / error - z))


@lru_cache(maxsize=4096)
def _power_of_score_test(seen: int, n: int, margin: float, z: float) -> float:
    """Sums over how many examples differ ~ Bin(n, seen / n) and how many of them are lost ~ Bin(·, ½)."""
    share = seen / n
    total = 0.0
    bound = 0  # losses that still pass; they grow with the number of examples that differ
    for differ in range(n + 1):
        weight = _binomial(differ, n, share)
        if weight < _TAIL:
            if differ > seen:
                break
            continue
        while bound < differ and score_statistic(differ - bound - 1, bound + 1, n, -margin) >= z:
            bound += 1
        if score_statistic(differ - bound, bound, n, -margin) < z:
            continue  # here not even as few losses pass
        total += weight * math.fsum(_binomial(lost, differ, 0.5) for lost in range(bound + 1))
    return min(1.0, total)


def _binomials(k: NDArray[np.int64], n: int, p: float) -> Array:
    """P(k) for every k; 0 < p, and 1 is the most that it can be."""
    if p >= 1:
        return (k == n).astype(float)
    factorials = _log_factorials(2 ** max(4, n.bit_length()))
    choose = factorials[n] - factorials[k] - factorials[n - k]
    return np.exp(choose + k * math.log(p) + (n - k) * math.log1p(-p))


@lru_cache(maxsize=32)
def _log_factorials(size: int) -> Array:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size)))])


def _binomial(k: int, n: int, p: float) -> float:
    if p in (0.0, 1.0):
        return float(k == n * p)
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * math.log(p) + (n - k) * math.log1p(-p)
    return math.exp(log)
