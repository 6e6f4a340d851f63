import math

import numpy as np
import pytest
from scipy.stats import binomtest

from clm.evaluation.bounds import tango_bounds
from clm.evaluation.sequential import examining_order, look_sizes, sequential_p, shares_of_error
from clm.evaluation.significance import excess_p, holm, mcnemar_p


@pytest.mark.parametrize(("won", "lost"), [(0, 1), (3, 7), (7, 3), (1, 12), (20, 20), (150, 190)])
def test_mcnemar_is_the_exact_binomial_test(won: int, lost: int) -> None:
    assert mcnemar_p(won, lost) == pytest.approx(binomtest(won, won + lost, 0.5, alternative="less").pvalue)


def test_holm_on_an_example_worked_out_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_loss_beyond_the_margin_is_shown_only_where_the_bounds_show_it() -> None:
    level = excess_p(0, 12, 100, 0.05)
    assert mcnemar_p(0, 12) <= level <= 0.02
    assert tango_bounds(0, 12, 100, 1 - level).upper <= -0.05
    assert binomtest(12, 100, 0.05, alternative="greater").pvalue <= level  # which knows that nothing is ever won
    assert excess_p(0, 4, 100, 0.05) == excess_p(0, 0, 100, 0.05) == 1.0


@pytest.mark.parametrize("level", [0.05, 0.05 / 3, 0.001])
def test_a_loss_of_just_the_margin_is_called_more_as_rarely_as_stated(level: float) -> None:
    """Of 40,000 drawn comparisons that truly lose the margin, far out too, where corrections lead."""
    draws = np.random.default_rng(6).multinomial(200, [0.015, 0.065, 0.92], size=40_000)
    outcomes, times = np.unique(draws, axis=0, return_counts=True)
    rejected = 0
    for (won, lost, _), count in zip(outcomes, times, strict=True):
        rejected += int(count) * (excess_p(int(won), int(lost), 200, 0.05) <= level)
    assert rejected / 40_000 <= level + 3 * math.sqrt(level / 40_000)


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
