"""Updates drawn at random, to measure the gate with: what passes, and how often. Pure."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from clm.evaluation.bounds import Array

_SPREAD = 2.34  # of the champion's log-odds of the right answer
_CERTAIN = (2.0, 1.0)  # log-odds against the right answer, mean and deviation, where one is lost outright
_DENSITY_OF_TURNS = math.sqrt(2 / math.pi)  # E|noise|: an answer turns round where noise exceeds its distance to a tie


@dataclass(frozen=True)
class Drawn:
    """`[suites, n]`: right or wrong, and log-likelihoods of the right answers, of candidate and champion."""

    ours: Array
    theirs: Array
    our_likelihoods: Array
    their_likelihoods: Array


def draw_updates(
    random: np.random.Generator,
    suites: int,
    n: int,
    churn: float = 0.03,
    outright: float = 0.0,
    drifting: float = 0.0,
    abrupt: float = 0.0,
    skill: float = 0.85,
) -> Drawn:
    """Updates that turn a share `churn` of the answers, either way alike, and lose more.

    The champion's log-odds of the right answer are normal, and right is what lies above 0. The candidate's are those
    plus noise that turns `churn` of them: near ties. Of the churn a share `abrupt` is no near tie but turned outright,
    either way. A share `outright` of all answers is lost for good; `drifting` points are lost for all log-odds fall.
    """
    normal = NormalDist()
    mean = _SPREAD * normal.inv_cdf(skill)
    density = normal.pdf(mean / _SPREAD) / _SPREAD
    noise = churn * (1 - abrupt) / density / _DENSITY_OF_TURNS
    before = random.normal(mean, _SPREAD, (suites, n))
    fall = mean - math.hypot(_SPREAD, noise) * normal.inv_cdf(skill - drifting)  # noise alone would cost a little, too
    now = before + noise * random.standard_normal((suites, n)) - fall
    far = np.abs(random.normal(*_CERTAIN, (suites, n)))
    dice = random.random((suites, n))
    right = before > 0
    turned = churn * abrupt / 2
    now = np.where(right & (dice < (turned + outright) / skill), -far, now)
    now = np.where(~right & (dice < turned / (1 - skill)), far, now)
    return Drawn((now > 0).astype(float), right.astype(float), _likelihood(now), _likelihood(before))


def _likelihood(odds: NDArray[np.float64]) -> Array:
    return -np.logaddexp(0.0, -odds)
