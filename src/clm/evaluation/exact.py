"""The exact test that rules out a loss from right/wrong scores. Pure.

Of n pairs the candidate alone is right on `won`, the champion alone on `lost`. H0: it loses the margin or more,
p_lost - p_won >= m. Outcomes are ordered by Tango's score statistic (1998). It orders well, but taken as normal it is
too sure of itself: it passes a true loss of five points in 6.9 % of suites of 52 examples, and in 19.4 % at confidence
0.90 and 32 examples. So its p-value is not read off the normal curve but summed up exactly,

    p = max over q of P(Z >= z observed | p_won = q, p_lost = q + m)

over every share q of pairs that the candidate may win: Barnard's unconditional test (1945; for paired proportions Lloyd
and Moldovan 2007, Statistics in Medicine 26:4866-4877). The maximum lies on the border of H0: given `won`, `lost` is
binomial, and every further loss only makes passing rarer. So a true loss of the margin passes with probability
1 - confidence at most, whatever n is and however many pairs differ.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clm.evaluation.bounds import Array, score_statistics

_GRID = 120  # shares of won pairs that are tried, evenly spread over their square root, and 21 around the best
_EXACT_UP_TO = 20_000  # examples; beyond, the score statistic is as good as exact
_SLACK = 1e-12  # in a comparison of statistics that should be equal
_special: Any = special  # scipy's ufuncs have no types

Limits = NDArray[np.int64]  # [n + 1]: by won pairs, how many may be lost; -1: not even none


@lru_cache(maxsize=16_384)
def loss_ruled_out_p(won: int, lost: int, n: int, margin: float) -> float:
    """One-sided p-value of "the candidate loses the margin or more"."""
    statistic = float(score_statistics(np.array([won]), np.array([lost]), n, -margin)[0])
    if n > _EXACT_UP_TO:
        return 1 - NormalDist().cdf(statistic)
    return min(1.0, _largest(_limits(statistic, n, margin), n, margin, _GRID))


@lru_cache(maxsize=512)
def passing_limits(n: int, margin: float, level: float) -> tuple[int, ...]:
    """By won pairs, how many lost ones still pass; -1: not even none."""
    low, high = 0.0, 5.0
    for _ in range(20):
        middle = (low + high) / 2
        if _largest(_limits(middle, n, margin), n, margin, _GRID) <= level:
            high = middle
        else:
            low = middle
    return tuple(_limits(high, n, margin).tolist())


def pass_probability(n: int, margin: float, level: float, winning: float, losing: float) -> float:
    """How likely a candidate with these true shares of won and lost pairs passes."""
    limits = np.array(passing_limits(n, margin, level))
    return float(probability_within(limits, n, np.array([winning]), np.array([losing]))[0])


def fewest_gains_to_pass(margin: float, level: float) -> int:
    """Examples that pass if each is a gain: at the margin at most (1 - margin) / 2 of them would be."""
    return math.ceil(math.log(level) / math.log((1 - margin) / 2))


def fewest_to_pass(margin: float, level: float) -> int:
    """With how many examples an update without a differing pair passes: nothing can show less with fewer."""
    return math.ceil(math.log(level) / math.log1p(-margin) - _SLACK)


def most_losses(n: int, margin: float, level: float) -> int:
    """The most examples that may be lost, of n, if none is won; -1: not even none (binomial)."""
    losses = np.arange(n + 1)
    return int((_special.bdtr(losses, n, margin) <= level).sum()) - 1


def share_bound(seen: int, n: int, confidence: float) -> float:
    """Upper bound of a share of which `seen` of n were seen (Clopper & Pearson 1934, Biometrika 26:404-413)."""
    if n == 0 or seen >= n:
        return 1.0
    return float(_special.betaincinv(seen + 1, n - seen, confidence))


def _limits(statistic: float, n: int, margin: float) -> Limits:
    """Per number of won pairs, the most lost ones whose statistic is still as large; it falls with every loss."""
    won = np.arange(n + 1)
    passes, fails = np.full(n + 1, -1), n - won + 1
    while True:
        open_ones = fails - passes > 1
        if not open_ones.any():
            return passes
        middle = (passes + fails) // 2
        enough = score_statistics(won, np.maximum(middle, 0), n, -margin) >= statistic - _SLACK
        passes, fails = np.where(open_ones & enough, middle, passes), np.where(open_ones & ~enough, middle, fails)


def _largest(limits: Limits, n: int, margin: float, grid: int) -> float:
    """The largest probability, on the border of H0, to be within the limits."""
    least, top = math.sqrt(max(0.0, -margin)), math.sqrt((1 - margin) / 2)
    roots = np.linspace(least, top, grid)
    at = probability_within(limits, n, roots**2, roots**2 + margin)
    best, step = roots[at.argmax()], roots[1] - roots[0]
    close = np.linspace(max(least, best - step), min(top, best + step), 21) ** 2
    return float(max(at.max(), probability_within(limits, n, close, close + margin).max()))


def probability_within(limits: Limits, n: int, winning: Array, losing: Array) -> Array:
    """[shares]: P(lost <= limits[won]) of a trinomial."""
    won = np.flatnonzero(limits >= 0)
    if not len(won):
        return np.zeros(len(winning))
    log_choose = _special.gammaln(n + 1) - _special.gammaln(won + 1) - _special.gammaln(n - won + 1)
    q = winning[:, None]
    of_won = np.exp(log_choose + _special.xlogy(won, q) + _special.xlog1py(n - won, -q))
    share = np.clip(losing[:, None] / np.maximum(1 - q, 1e-300), 0.0, 1.0)
    return (of_won * _special.bdtr(np.minimum(limits[won], n - won), n - won, share)).sum(1)
