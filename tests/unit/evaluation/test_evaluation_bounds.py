import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from clm.evaluation.bounds import score_statistic, score_statistics, tango_bounds


def statistic_by_search(won: int, lost: int, n: int, difference: float) -> float:
    """Tango's statistic with the nuisance parameter found by maximising the likelihood, not by its formula."""

    def unlikely(losing: float) -> float:
        winning = losing + difference
        rest = 1 - losing - winning
        return -(won * math.log(winning) + lost * math.log(losing) + (n - won - lost) * math.log(rest))

    low, high = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    losing = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return (won - lost - n * difference) / math.sqrt(n * (2 * losing + difference * (1 - difference)))


@pytest.mark.parametrize(("won", "lost", "n"), [(3, 7, 80), (1, 12, 60), (20, 20, 200), (2, 1, 30)])
def test_tango_bounds_are_where_the_score_test_just_does_not_reject(won: int, lost: int, n: int) -> None:
    bounds = tango_bounds(won, lost, n, 0.95)
    z = norm.ppf(0.95)
    assert bounds.difference == pytest.approx((won - lost) / n)
    assert statistic_by_search(won, lost, n, bounds.lower) == pytest.approx(z, abs=1e-3)
    assert statistic_by_search(won, lost, n, bounds.upper) == pytest.approx(-z, abs=1e-3)


def test_tango_without_differing_pairs_has_the_closed_form() -> None:
    z2 = norm.ppf(0.95) ** 2
    bounds = tango_bounds(0, 0, 80, 0.95)
    assert bounds.lower == pytest.approx(-z2 / (80 + z2))
    assert bounds.upper == pytest.approx(z2 / (80 + z2))


@pytest.mark.parametrize(("won", "lost"), [(0, 50), (50, 0)])
def test_tango_where_every_pair_differs(won: int, lost: int) -> None:
    bounds = tango_bounds(won, lost, 50, 0.95)
    assert -1 <= bounds.lower <= bounds.difference <= bounds.upper <= 1
    assert bounds.upper - bounds.lower > 0.01


def test_tango_covers_a_rare_loss() -> None:
    """True difference -0.04 from 1 % wins and 5 % losses: the lower bound lies below it in 95 % of samples."""
    random = np.random.default_rng(5)
    counts = random.multinomial(80, [0.01, 0.05, 0.94], size=1500)
    covered = np.mean([tango_bounds(int(won), int(lost), 80, 0.95).lower <= -0.04 for won, lost, _ in counts])
    assert 0.93 <= covered <= 0.99


def test_many_statistics_at_once_are_the_single_ones() -> None:
    won, lost = np.array([0, 3, 0, 50]), np.array([0, 7, 50, 0])
    found = score_statistics(won, lost, 50, -0.05)
    assert found == pytest.approx([score_statistic(*each, 50, -0.05) for each in zip(won, lost, strict=True)])
