"""Tests that claim a loss from paired right/wrong scores, and their correction for many claims. Pure."""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clm.evaluation.bounds import Array, likeliest_losing, score_statistic

_NORMAL = NormalDist()
_TAIL = 1e-9  # probability that may be left out of a power


@lru_cache(maxsize=16_384)
def excess_p(won: int, lost: int, n: int, margin: float) -> float:
    """One-sided p-value of "the candidate loses no more than the margin", from right/wrong scores.

    The largest of three: the score test's; the exact probability of such a loss under the likeliest rates, for the
    score test is too sure of itself far out, where corrections for tasks and looks lead; and that of "is no worse", so
    that what did not change is rejected at the stated rate at most.
    """
    if (won - lost) / n >= -margin:
        return 1.0
    beyond = _NORMAL.cdf(score_statistic(won, lost, n, -margin))
    return max(beyond, _tail_p(won, lost, n, margin), mcnemar_p(won, lost))


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


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979, Scandinavian Journal of Statistics 6:65-70): rejecting where they are at most α
    makes any wrong rejection among all of them no likelier than α, however they depend on each other."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


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
