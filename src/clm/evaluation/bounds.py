"""Confidence bounds of a paired difference of scores in [0, 1]. Pure."""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES = 10_000
_SEED = 20_260_101  # the same scores give the same verdict, always
_CHUNK = 2_000_000  # resampled values in memory at once


@dataclass(frozen=True)
class Bounds:
    difference: float  # mean of candidate - champion
    lower: float  # one-sided
    upper: float  # one-sided


def paired_bounds(candidate: Array, champion: Array, confidence: float) -> Bounds:
    """`candidate`, `champion`: [n] scores of the same examples, n >= 1. Right/wrong scores by Tango's interval,
    graded ones by a paired bootstrap."""
    if right_or_wrong(candidate, champion):
        won, lost = discordant(candidate, champion)
        return tango_bounds(won, lost, len(candidate), confidence)
    return bootstrap_bounds(candidate - champion, confidence)


def right_or_wrong(candidate: Array, champion: Array) -> bool:
    return all(bool(((scores == 0) | (scores == 1)).all()) for scores in (candidate, champion))


def discordant(candidate: Array, champion: Array) -> tuple[int, int]:
    """On how many examples the candidate was better, and on how many worse."""
    return int((candidate > champion).sum()), int((candidate < champion).sum())


@lru_cache(maxsize=4096)
def tango_bounds(won: float, lost: float, n: float, confidence: float) -> Bounds:
    """Score bounds for the difference of two paired proportions (Tango 1998, Statistics in Medicine 17:891-908).

    Of n pairs the candidate alone was right on `won`, the champion alone on `lost`. Holds its level also where
    few or no pairs differ, which the usual normal interval does not.
    """
    z = NormalDist().inv_cdf(confidence)
    lower = _score_bound(won, lost, n, z)
    upper = -_score_bound(lost, won, n, z)  # seen from the other side
    return Bounds((won - lost) / n, lower, upper)


def _score_bound(won: float, lost: float, n: float, z: float) -> float:
    """The lowest difference in [-1, 1] that the score test does not reject; its statistic falls with the difference."""
    low, high = -1.0, (won - lost) / n
    for _ in range(60):
        middle = (low + high) / 2
        if score_statistic(won, lost, n, middle) > z:
            low = middle
        else:
            high = middle
    return low


def score_statistic(won: float, lost: float, n: float, difference: float) -> float:
    """Tango's Z: how far the counts lie from this true difference, in standard errors under it."""
    losing = likeliest_losing(won, lost, n, difference)
    variance = n * (2 * losing + difference * (1 - difference))
    distance = won - lost - n * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def likeliest_losing(won: float, lost: float, n: float, difference: float) -> float:
    """The share of pairs that the candidate loses, by maximum likelihood under this true difference; it wins
    `difference` more."""
    b = -won - lost + (2 * n - won + lost) * difference
    c = -lost * difference * (1 - difference)
    return (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)


def bootstrap_bounds(difference: Array, confidence: float) -> Bounds:
    """Percentile bounds of the mean of paired differences [n] (Efron 1979), 10,000 seeded resamples.

    Differences that are all (nearly) alike would give an interval of no width. But n examples without a surprise
    leave room for z² / (n + z²) of all examples being a surprise (Wilson 1927) by a whole point, so the interval
    never gets narrower than that.
    """
    n = len(difference)
    z = NormalDist().inv_cdf(confidence)
    means = resampled_means(difference)
    mean = float(difference.mean())
    floor = z * z / (n + z * z)
    lower = min(float(np.quantile(means, 1 - confidence)), mean - floor)
    upper = max(float(np.quantile(means, confidence)), mean + floor)
    return Bounds(mean, max(lower, -1.0), min(upper, 1.0))


def resampled_means(difference: Array) -> Array:
    """[RESAMPLES] means of as many differences, drawn with replacement."""
    n = len(difference)
    random = np.random.default_rng(_SEED)
    rows = max(1, _CHUNK // n)
    return np.concatenate(
        [
            difference[random.integers(0, n, (min(rows, RESAMPLES - done), n))].mean(axis=1)
            for done in range(0, RESAMPLES, rows)
        ]
    )
