"""Rules out a loss with the likelihood of the right answers beside the scores: most churn is near ties. Pure.

An update that changes nothing still turns answers round where two were about equally likely. Right/wrong counts each of
them as a whole point; the right answer's likelihood says how far it really moved. With z the log-odds of the right
answer's mean probability per token, a pair is *outright* won or lost where its score differs and z moved by more than
OUTRIGHT; what else moved is *drift*. The candidate loses m or more, net, only if it loses a share o outright and m - o
by drift, for some o. It is ruled out where for every o in [0, m]

    P(outright counts within the exact test's limits | o) * P(mean drift <= what was seen | a drift that costs m - o)

is at most the level. The first is exact (`clm.evaluation.exact`). The second is Student's t; what a drift costs comes
from a logistic curve of score over z, fitted on both sides' answers. So this is exact for answers that are lost
outright and a model for those that are lost by a hair, which is why right/wrong must not show a loss either.

Suites too small for a reserve (under 72 examples at five points and 95 %) have all of the level spent on the outright
counts; there a mixture of both kinds of loss may reach a tenth more than the level, and more where
the curve is off. Figures: docs/experiments.md.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clm.evaluation import exact
from clm.evaluation.bounds import Array

OUTRIGHT = 1.5  # log-odds
_FARTHEST = 6.0  # log-odds: beyond, an answer is certain, and how certain is noise
_MIXED = 1.1  # see above
_PARTS = 26  # outright shares that are tried
_SHIFTS = np.linspace(0.0, 3.0, 61)  # drifts, in log-odds, whose cost is known
_RIDGE = 0.1  # keeps the curve finite where all answers are right
_special: Any = special  # scipy's ufuncs have no types


@dataclass(frozen=True)
class Moved:
    """What changed, pair by pair."""

    won: int  # outright
    lost: int
    drift: float  # mean of champion - candidate over the other pairs, in log-odds
    error: float  # its standard error
    cost: Array  # [shifts]: points that each of _SHIFTS loses
    shown: Array  # [shifts]: drift that would be seen of it


def log_odds(likelihoods: Array) -> Array:
    """Of the mean probability per token, from mean natural log-likelihoods."""
    chance = np.exp(np.minimum(likelihoods, 0.0))
    with np.errstate(divide="ignore"):
        return np.clip(np.log(chance) - np.log1p(-np.minimum(chance, 1 - 1e-12)), -20.0, 20.0)


def moved(scores: tuple[Array, Array], odds: tuple[Array, Array], whole: NDArray[np.bool_]) -> Moved:
    """Candidate's side first. `whole`: pairs whose difference counts as a whole point, if it is one."""
    (ours, theirs), (now, before) = scores, odds
    drop = before.clip(-_FARTHEST, _FARTHEST) - now.clip(-_FARTHEST, _FARTHEST)
    outright = whole & (ours != theirs) & (np.abs(drop) > OUTRIGHT)
    drift = np.where(outright, 0.0, drop.clip(-OUTRIGHT, OUTRIGHT))
    a, b = _curve(np.concatenate([now, before]).clip(-_FARTHEST, _FARTHEST), np.concatenate([ours, theirs]))
    at = before.clip(-_FARTHEST, _FARTHEST)
    shifted = (before[:, None] - _SHIFTS).clip(-_FARTHEST, _FARTHEST)
    cost = (_special.expit(a + b * at)[:, None] - _special.expit(a + b * (at[:, None] - _SHIFTS))).mean(0)
    n = len(ours)
    error = float(drift.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return Moved(
        int((outright & (ours > theirs)).sum()), int((outright & (ours < theirs)).sum()), float(drift.mean()),
        max(error, 1e-9), cost, (at[:, None] - shifted).mean(0),
    )  # fmt: skip


def loss_ruled_out(seen: Moved, n: int, margin: float, level: float) -> bool:
    limits, spent, mixed = _plan(n, margin, level)
    if seen.won + seen.lost > n or seen.lost > limits[seen.won]:
        return False
    outright = np.linspace(0.0, margin, _PARTS)
    drifts = np.interp(margin - outright, seen.cost, seen.shown)
    within = _special.stdtr(n - 1, (seen.drift - drifts) / seen.error)
    return bool((spent * within <= mixed + 1e-12).all())


def pass_probability(seen: Moved, n: int, margin: float, level: float) -> float:
    """How likely an update that changes nothing passes, if it turns as many answers outright, either way, and its
    answers move as much as was seen."""
    limits, spent, mixed = _plan(n, margin, level)
    outright = np.linspace(0.0, margin, _PARTS)
    drifts = np.interp(margin - outright, seen.cost, seen.shown)
    room = drifts / seen.error + _special.stdtrit(n - 1, np.minimum(mixed / np.maximum(spent, 1e-300), 1.0))
    share = (seen.won + seen.lost) / (2 * n)
    counts = exact.probability_within(np.array(limits), n, np.array([share]), np.array([share]))[0]
    return float(counts * _special.stdtr(n - 1, room.min()))


@lru_cache(maxsize=256)
def _plan(n: int, margin: float, level: float) -> tuple[tuple[int, ...], Array, float]:
    """Outright losses that pass by outright wins, the largest probability of that by outright share, and the level of
    the product."""
    limits = exact.passing_limits(n, margin, level / 2)
    reserve = limits[0] >= 0
    limits = limits if reserve else exact.passing_limits(n, margin, level)
    roots = np.linspace(0.0, 1.0, 60)
    spent = [_largest_within(np.array(limits), n, outright, roots) for outright in np.linspace(0.0, margin, _PARTS)]
    return limits, np.array(spent), level if reserve else level * _MIXED


def _largest_within(limits: NDArray[np.int64], n: int, outright: float, roots: Array) -> float:
    winning = roots**2 * (1 - outright) / 2
    return float(exact.probability_within(limits, n, winning, winning + outright).max())


def _curve(odds: Array, scores: Array) -> tuple[float, float]:
    """The logistic curve of score over log-odds by iterated least squares, shrunk a little towards slope 1."""
    a, b = 0.0, 1.0
    for _ in range(15):
        p = _special.expit(a + b * odds)
        w = p * (1 - p) + 1e-9
        up, along = float((scores - p).sum()) - _RIDGE * a, float(((scores - p) * odds).sum()) - _RIDGE * (b - 1)
        aa, ab, bb = float(w.sum()) + _RIDGE, float((w * odds).sum()), float((w * odds * odds).sum()) + _RIDGE
        determinant = aa * bb - ab * ab
        a += min(2.0, max(-2.0, (bb * up - ab * along) / determinant))
        b += min(2.0, max(-2.0, (aa * along - ab * up) / determinant))
    return a, max(b, 0.05)
