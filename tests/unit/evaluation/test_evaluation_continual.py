import math
from collections.abc import Callable

import pytest

from clm.errors import InvalidInput
from clm.evaluation.continual import (
    average_performance,
    backward_transfer,
    forgetting,
    forgetting_from_first,
    forward_transfer,
    general_change,
    intransigence,
)

# Three updates, three tasks; task 0 was best after update 1, task 1 got better in update 2.
MATRIX = [
    [0.90, 0.20, 0.10],
    [0.95, 0.80, 0.30],
    [0.60, 0.85, 0.70],
]
BASELINE = [0.05, 0.10, 0.15]
REFERENCE = [0.92, 0.90, 0.70]


def test_every_metric_on_a_matrix_worked_out_by_hand() -> None:
    assert average_performance(MATRIX) == pytest.approx((0.60 + 0.85 + 0.70) / 3)
    assert backward_transfer(MATRIX) == pytest.approx(((0.60 - 0.90) + (0.85 - 0.80)) / 2)
    assert forward_transfer(MATRIX, BASELINE) == pytest.approx(((0.20 - 0.10) + (0.30 - 0.15)) / 2)
    assert forgetting(MATRIX) == pytest.approx(((0.95 - 0.60) + (0.80 - 0.85)) / 2)
    assert forgetting_from_first(MATRIX) == pytest.approx(((0.90 - 0.60) + (0.80 - 0.85)) / 2)
    assert intransigence(MATRIX, REFERENCE) == pytest.approx(((0.92 - 0.90) + (0.90 - 0.80) + (0.70 - 0.70)) / 3)
    assert general_change([0.4, 0.6], [0.35, 0.61]) == pytest.approx((-0.05 + 0.01) / 2)


def test_what_was_not_measured_is_left_out_and_nothing_gives_none() -> None:
    triangle = [[0.9], [0.7, 0.8]]  # rows that end early: the lower triangle of the papers
    assert average_performance(triangle) == pytest.approx(0.75)
    assert backward_transfer(triangle) == pytest.approx(-0.2)
    assert forward_transfer(triangle, BASELINE) is None
    assert forward_transfer(MATRIX, []) is None
    assert intransigence(triangle, [None, 0.85]) == pytest.approx(0.05)
    assert intransigence(triangle, []) is None
    gap = [[0.9, None], [None, 0.8], [0.5, None]]
    assert average_performance(gap) == 0.5
    assert backward_transfer(gap) == pytest.approx(-0.4)
    assert forgetting(gap) == pytest.approx(0.4)
    for metric in (average_performance, backward_transfer, forgetting, forgetting_from_first):
        assert metric([]) is None
        assert metric([[None, None]]) is None
    assert backward_transfer([[0.9, 0.1]]) is None and forgetting([[0.9, 0.1]]) is None
    assert general_change([], []) is None


def test_tasks_may_be_learned_in_any_order_or_never() -> None:
    rows = [[0.1, 0.8, 0.2], [0.9, 0.7, 0.2], [0.8, 0.75, 0.2]]
    learned = [1, 0, None]
    assert average_performance(rows, learned) == pytest.approx((0.8 + 0.75) / 2)
    assert backward_transfer(rows, learned) == pytest.approx(((0.8 - 0.9) + (0.75 - 0.8)) / 2)
    assert forgetting(rows, learned) == pytest.approx(((0.9 - 0.8) + (0.8 - 0.75)) / 2)
    assert forward_transfer(rows, [0.0, 0.0, 0.0], learned) == pytest.approx(0.1)
    assert intransigence(rows, [0.9, 0.9, 0.9], learned) == pytest.approx((0.0 + 0.1) / 2)


BROKEN = [[0.9, 0.1], [math.nan, 0.8]]


@pytest.mark.parametrize(
    "call",
    [
        lambda: average_performance(BROKEN),
        lambda: backward_transfer(BROKEN),
        lambda: forgetting(BROKEN),
        lambda: forgetting_from_first(BROKEN),
        lambda: forward_transfer(MATRIX, [math.inf]),
        lambda: forward_transfer(BROKEN, BASELINE),
        lambda: intransigence(MATRIX, [math.nan]),
        lambda: general_change([math.nan], [0.5]),
        lambda: general_change([0.5], []),
        lambda: average_performance(MATRIX, [0, -1, 2]),
    ],
)
def test_what_is_no_score_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(InvalidInput):
        call()
