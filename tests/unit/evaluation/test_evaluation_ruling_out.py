"""What rules a loss out has the size that it states; each claim is checked beside what it replaced."""

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from clm.evaluation import betting, exact, likelihood
from clm.evaluation.bounds import tango_bounds
from clm.evaluation.comparison import ExampleScore, compare
from clm.evaluation.ruling_out import ruled_out
from clm.evaluation.simulation import Drawn, draw_updates

MARGIN, LEVEL = 0.05, 0.05


def size(n: int, passes: list[tuple[int, int]], margin: float) -> float:
    """The largest probability of these outcomes where the margin is truly lost, over the share that is won."""
    won, lost = np.array(passes).T
    outcomes = np.column_stack([won, lost, n - won - lost])
    return max(
        float(multinomial.pmf(outcomes, n, [q, q + margin, 1 - 2 * q - margin]).sum()) for q in np.linspace(0, 0.3, 151)
    )


@pytest.mark.parametrize(("n", "confidence", "tango"), [(52, 0.95, 0.069), (32, 0.90, 0.194)])
def test_the_score_bound_passes_a_true_loss_too_often_and_the_exact_test_does_not(
    n: int, confidence: float, tango: float
) -> None:
    outcomes = [(won, lost) for won, lost in product(range(12), range(12)) if won + lost <= n]
    by_score = [each for each in outcomes if tango_bounds(*each, n, confidence).lower >= -MARGIN]
    assert size(n, by_score, MARGIN) >= tango - 0.001
    limits = exact.passing_limits(n, MARGIN, 1 - confidence)
    assert size(n, [each for each in outcomes if each[1] <= limits[each[0]]], MARGIN) <= 1 - confidence


@pytest.mark.parametrize("level", [0.05, 0.1, 0.01])
def test_the_exact_test_keeps_its_level_for_every_suite(level: float) -> None:
    """Looked at ten times as closely as the test itself looks."""
    shares = np.linspace(0, math.sqrt((1 - MARGIN) / 2), 1200) ** 2
    for n in (20, 33, 52, 59, 60, 93, 124, 200, 400):
        limits = np.array(exact.passing_limits(n, MARGIN, level))
        assert exact.probability_within(limits, n, shares, shares + MARGIN).max() <= level


def test_an_exact_p_value_without_a_differing_pair_is_the_chance_to_lose_nothing() -> None:
    assert exact.loss_ruled_out_p(0, 0, 60, MARGIN) == pytest.approx(0.95**60)
    assert exact.loss_ruled_out_p(0, 60, 60, MARGIN) == pytest.approx(1.0)
    assert exact.fewest_to_pass(MARGIN, LEVEL) == 59
    assert [exact.passing_limits(n, MARGIN, LEVEL)[0] for n in (58, 59)] == [-1, 0]
    assert exact.share_bound(0, 100, 0.95) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert binom.cdf(3, 100, exact.share_bound(3, 100, 0.95)) == pytest.approx(0.05)


def graded(random: np.random.Generator, kind: str, n: int, loss: float) -> np.ndarray:
    if kind == "noise":
        return (random.normal(0, 0.1, n) * (random.random(n) < 0.3) - loss).clip(-1, 1)
    if kind == "halves":  # few lose a half, and one in a hundred wins one
        return np.where(random.random(n) < 0.02 + 2 * loss, -0.5, 0.0) + np.where(random.random(n) < 0.02, 0.5, 0.0)
    return -(random.random(n) < loss).astype(float)


@pytest.mark.parametrize("kind", ["noise", "halves", "lumps"])
def test_bets_pass_a_true_loss_of_the_margin_as_rarely_as_stated(kind: str) -> None:
    random = np.random.default_rng(31)
    passed = np.mean(
        [betting.loss_ruled_out_p(graded(random, kind, 120, MARGIN), MARGIN) <= LEVEL for _ in range(1500)]
    )
    assert passed <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / 1500)


def test_bets_have_power_and_show_a_large_loss() -> None:
    random = np.random.default_rng(32)
    unchanged = [betting.loss_ruled_out_p(graded(random, "noise", 100, 0.0), MARGIN) <= LEVEL for _ in range(300)]
    assert np.mean(unchanged) >= 0.95
    assert betting.loss_shown_p(graded(random, "noise", 100, 0.3), MARGIN) < 1e-6
    assert betting.loss_shown_p(np.zeros(100), MARGIN) == 1.0
    assert betting.lower_bound(np.zeros(200), LEVEL) == pytest.approx(-0.017, abs=0.004)


def passed(drawn: Drawn, level: float = LEVEL) -> float:
    n = drawn.ours.shape[1]
    return float(np.mean([
        likelihood.loss_ruled_out(
            likelihood.moved((drawn.ours[i], drawn.theirs[i]),
                             (likelihood.log_odds(drawn.our_likelihoods[i]),
                              likelihood.log_odds(drawn.their_likelihoods[i])), np.ones(n, bool)),
            n, MARGIN, level)
        for i in range(len(drawn.ours))
    ]))  # fmt: skip


def test_likelihoods_pass_an_update_that_changes_nothing_where_right_and_wrong_can_not() -> None:
    drawn = draw_updates(np.random.default_rng(33), 400, 60, churn=0.03)
    assert np.mean(drawn.ours != drawn.theirs) == pytest.approx(0.03, abs=0.004)
    limits = exact.passing_limits(60, MARGIN, LEVEL)
    won, lost = (drawn.ours > drawn.theirs).sum(1), (drawn.ours < drawn.theirs).sum(1)
    assert np.mean(lost <= np.array(limits)[won]) <= 0.55
    assert passed(drawn) >= 0.975


@pytest.mark.parametrize(
    ("n", "lost", "allowed"),
    [(60, {"outright": 0.05}, 0.05), (60, {"drifting": 0.05}, 0.05), (60, {"outright": 0.04, "drifting": 0.01}, 0.065),
     (100, {"outright": 0.05}, 0.05), (100, {"outright": 0.03, "drifting": 0.02}, 0.05),
     (100, {"outright": 0.05, "abrupt": 0.5}, 0.05)],
)  # fmt: skip
def test_likelihoods_pass_a_true_loss_as_rarely_as_stated(n: int, lost: dict[str, float], allowed: float) -> None:
    drawn = draw_updates(np.random.default_rng(34), 600, n, churn=0.03, **lost)
    assert np.mean(drawn.theirs - drawn.ours) == pytest.approx(0.05, abs=0.005)
    assert passed(drawn) <= allowed + 3 * math.sqrt(allowed * (1 - allowed) / 600)


def test_log_odds_of_certain_and_of_impossible_answers_are_finite() -> None:
    found = likelihood.log_odds(np.array([0.0, -1e-20, math.log(0.5), -800.0]))
    assert found == pytest.approx([20.0, 20.0, 0.0, -20.0], abs=8)
    assert np.isfinite(found).all()


@pytest.mark.parametrize(("lost", "by"), [(2, "scores"), (4, None)])
def test_scores_have_most_of_the_error_rate_though_likelihoods_were_measured(lost: int, by: str | None) -> None:
    """One outright win and two losses of 122 are no loss of five points; with half of the rate that was not decided."""
    turned = {0: (1.0, 0.0), **dict.fromkeys(range(1, lost + 1), (0.0, 1.0))}
    right, wrong = math.log(0.95), math.log(0.02)
    pairs = [turned.get(n, (1.0, 1.0)) for n in range(122)]
    ours, theirs = (
        [ExampleScore(str(n), pair[side], right if pair[side] else wrong, who) for n, pair in enumerate(pairs)]
        for side, who in ((0, "new"), (1, "old"))
    )
    pair = compare(ours, theirs, MARGIN)
    assert pair.odds is not None
    assert ruled_out(pair, 0.9 * LEVEL).by == by
