"""The average that is shown, with and without weights."""

import pytest

from clm.evaluation.ledger import Ledger, LedgerTask
from clm.views.averages import weighed


def line(task: str, current: float | None) -> LedgerTask:
    return LedgerTask(task, "exact_match", (), current, current, current, current)


LEDGER = Ledger(
    model="m",
    tasks=(line("intent", 0.9), line("facts", 0.5), line("tone", None), line("removed", 0.1)),
    average_performance=0.7,
    backward_transfer=None,
    forward_transfer=None,
    forgetting=None,
    forgetting_from_first=None,
    general_change=None,
    as_of=None,
)
LEARNT = ("intent", "facts", "tone")


@pytest.mark.parametrize("weights", [{}, {"intent": 1.0, "facts": 1.0}, {"tone": 5.0, "removed": 9.0}])
def test_without_weights_on_what_counts_it_is_the_plain_mean(weights: dict[str, float]) -> None:
    shown = weighed(LEDGER, LEARNT, weights)
    assert (shown.average_performance, shown.weighted) == (0.7, False)


def test_weights_count_and_are_told() -> None:
    shown = weighed(LEDGER, LEARNT, {"intent": 3.0, "removed": 9.0})
    assert shown.average_performance == pytest.approx((3 * 0.9 + 0.5) / 4) and shown.weighted
