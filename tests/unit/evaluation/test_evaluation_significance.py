import math

import numpy as np
import pytest
from scipy.stats import binomtest

from clm.evaluation.bounds import bootstrap_bounds, tango_bounds
from clm.evaluation.sequential import examining_order, look_sizes, sequential_p, shares_of_error
from clm.evaluation.significance import bootstrap_p, excess_p, holm, loss_p, mcnemar_p, power


@pytest.mark.parametrize(("won", "lost"), [(0, 1), (3, 7), (7, 3), (1, 12), (20, 20), (150, 190)])
def test_mcnemar_is_the_exact_binomial_test(won: int, lost: int) -> None:
    assert mcnemar_p(won, lost) == pytest.approx(binomtest(won, won + lost, 0.5, alternative="less").pvalue)


def test_without_a_differing_pair_there_is_no_evidence() -> None:
    assert mcnemar_p(0, 0) == 1.0
    assert loss_p(np.ones(40), np.ones(40)) == 1.0
    assert bootstrap_p(np.zeros(40), 0.05) == 1.0


def test_holm_on_an_example_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_loss_beyond_the_margin_is_shown_only_where_the_bounds_show_it() -> None:
    champion = np.ones(100)
    candidate = np.concatenate([np.zeros(12), np.ones(88)])
    level = excess_p(candidate, champion, 0.05)
    assert mcnemar_p(0, 12) <= level <= 0.02
    assert tango_bounds(0, 12, 100, 1 - level).upper <= -0.05
    assert binomtest(12, 100, 0.05, alternative="greater").pvalue <= level  # which knows that nothing is ever won
    assert excess_p(np.concatenate([np.zeros(4), np.ones(96)]), champion, 0.05) == 1.0
    graded = np.random.default_rng(4).normal(-0.1, 0.2, 150).clip(-1, 1)
    level = bootstrap_p(graded, 0.06)
    assert 0.001 < level < 0.2
    assert bootstrap_bounds(graded, 1 - level).upper == pytest.approx(-0.06, abs=0.002)


@pytest.mark.parametrize("level", [0.05, 0.05 / 3, 0.001])
def test_a_loss_of_just_the_margin_is_called_more_as_rarely_as_stated(level: float) -> None:
    """Of 40,000 drawn comparisons that truly lose the margin, far out too, where corrections lead."""
    draws = np.random.default_rng(6).multinomial(200, [0.015, 0.065, 0.92], size=40_000)
    outcomes, times = np.unique(draws, axis=0, return_counts=True)
    rejected = 0
    for (won, lost, _), count in zip(outcomes, times, strict=True):
        difference = np.zeros(200)
        difference[:won], difference[won : won + lost] = 1, -1
        rejected += int(count) * (excess_p(np.maximum(difference, 0), np.maximum(-difference, 0), 0.05) <= level)
    assert rejected / 40_000 <= level + 3 * math.sqrt(level / 40_000)


def test_few_or_equal_graded_scores_claim_no_more_than_they_show() -> None:
    assert bootstrap_p(np.full(3, -0.3), 0.05) > 0.05  # without a floor all resamples agree
    assert bootstrap_p(np.full(200, -0.3), 0.05) < 0.01


def test_power_is_how_often_an_unchanged_update_passes() -> None:
    """Against 4,000 drawn updates that differ on 6 % of 200 examples, either way."""
    n, margin = 200, 0.05
    candidate, champion = np.ones(n), np.ones(n)
    candidate[:6], champion[6:12] = 0, 0
    draws = np.random.default_rng(2).multinomial(n, [0.03, 0.03, 0.94], size=4000)
    passed = np.mean([tango_bounds(int(won), int(lost), n, 0.95).lower >= -margin for won, lost, _ in draws])
    assert power(candidate, champion, margin, 0.95) == pytest.approx(passed, abs=0.03)


def test_power_grows_with_examples_and_margin() -> None:
    same = np.ones(30)
    assert power(same, same, 0.03, 0.95) == 0.0  # nothing can show this with 30 examples
    assert power(np.ones(120), np.ones(120), 0.03, 0.95) == pytest.approx(1.0)
    noise = np.random.default_rng(1).normal(0, 0.2, 400).clip(-0.5, 0.5)
    at = [power(0.5 + noise[:n], np.full(n, 0.5), 0.03, 0.95) for n in (60, 200, 400)]
    assert at == sorted(at) and at[0] < 0.5 < at[2] <= 1


@pytest.mark.parametrize("n", [1, 19, 20, 30, 81, 200, 1001])
def test_looks_spend_the_error_rate_once(n: int) -> None:
    sizes = look_sizes(n)
    assert sizes == sorted(set(sizes)) and sizes[-1] == n
    assert all(size >= 20 for size in sizes[:-1])
    assert sum(shares_of_error(n)) == pytest.approx(1)
    assert len(shares_of_error(n)) == len(sizes)


def test_looks_of_a_suite_of_200() -> None:
    assert look_sizes(200) == [50, 100, 150, 200]
    assert shares_of_error(200) == pytest.approx([1 / 16, 3 / 16, 5 / 16, 7 / 16])
    seen = {50: 0.5, 100: 0.003, 150: 0.4, 200: 0.2}
    assert sequential_p(seen.__getitem__, 200, answered=50) == 1.0
    assert sequential_p(seen.__getitem__, 200, answered=100) == pytest.approx(0.003 / (3 / 16))
    assert sequential_p(seen.__getitem__, 200, answered=200) == pytest.approx(0.003 / (3 / 16))


def test_the_order_is_the_same_for_the_same_examples_and_has_nothing_to_do_with_their_names() -> None:
    names = [f"rec_{number:04d}" for number in range(200)]
    order = examining_order(names)
    assert sorted(order) == names and order == examining_order(reversed(names))
    early = [names.index(name) for name in order[:100]]
    assert math.isclose(float(np.mean(early)), 99.5, abs_tol=15)
