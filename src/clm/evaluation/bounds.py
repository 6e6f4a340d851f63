"""Score bounds of the difference of two paired proportions. Pure."""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_NOTHING = 1e-12  # a variance that is none


@dataclass(frozen=True)
class Bounds:
    difference: float  # mean of candidate - champion
    lower: float  # one-sided
    upper: float  # one-sided


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
    if variance <= _NOTHING:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def likeliest_losing(won: float, lost: float, n: float, difference: float) -> float:
    """The share of pairs that the candidate loses, by maximum likelihood under this true difference; it wins
    `difference` more."""
    b = -won - lost + (2 * n - won + lost) * difference
    c = -lost * difference * (1 - difference)
    return (math.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)


def score_statistics(won: NDArray[Any], lost: NDArray[Any], n: int, difference: float) -> Array:
    """`score_statistic` of [k] counts at once."""
    b = -won - lost + (2 * n - won + lost) * difference
    c = -lost * difference * (1 - difference)
    losing = (np.sqrt(np.maximum(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * losing + difference * (1 - difference))
    distance = won - lost - n * difference
    certain = np.where(distance == 0, 0.0, np.copysign(np.inf, distance))
    return np.divide(distance, np.sqrt(np.maximum(variance, 0.0)), out=certain, where=variance > _NOTHING)
