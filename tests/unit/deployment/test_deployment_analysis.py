"""The analysis: no data never promotes, NaN never passes, harm is seen, and two equal releases are not told apart."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clm.deployment.analysis import analyse
from clm.policies import RolloutPolicy
from clm.records import TrafficWindow

POLICY = RolloutPolicy(minimum_requests=20, max_error_rate=0.05, min_feedback=0.6, minimum_feedback=10)
GOOD = TrafficWindow(requests=40, errors=0, latency_p95_ms=400, feedback_count=20, feedback_mean=0.9)
NOTHING = TrafficWindow(requests=0, errors=0, latency_p95_ms=None, feedback_count=0, feedback_mean=None)

odd = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))
windows = st.builds(
    TrafficWindow,
    requests=st.integers(-5, 500),
    errors=st.integers(-5, 500),
    latency_p95_ms=odd,
    feedback_count=st.integers(-5, 100),
    feedback_mean=odd,
)
policies = st.builds(
    RolloutPolicy,
    minimum_requests=st.integers(1, 100),
    minimum_seconds=st.floats(0, 100),
    max_error_rate=st.floats(0, 1),
    min_feedback=st.one_of(st.none(), st.floats(0, 1)),
)


def test_a_good_candidate_goes_on() -> None:
    analysis = analyse(POLICY, GOOD, GOOD, 1)
    assert analysis.verdict == "promote"
    assert {c.verdict for c in analysis.checks} == {"pass"}


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ({"errors": 4}, "4 errors in 40 requests, 10.0% against at most 5.0%"),
        ({"latency_p95_ms": 1300.0}, "p95 latency 1300 ms, champion 400 ms, 3.2 times against at most 3.0"),
        ({"latency_p95_ms": 70_000.0}, "p95 latency 70000 ms against at most 60000 ms"),
        ({"feedback_mean": 0.3}, "mean feedback 0.30 on 20 scores against at least 0.60"),
    ],
)
def test_harm_is_rolled_back_with_the_numbers(harm: dict[str, float], told: str) -> None:
    analysis = analyse(POLICY, replace(GOOD, **harm), GOOD, 1)
    assert analysis.verdict == "rollback"
    assert told in analysis.reason


@pytest.mark.parametrize("field", ["latency_p95_ms", "feedback_mean"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, None])
def test_numbers_that_are_none_hold(field: str, value: float | None) -> None:
    assert analyse(POLICY, replace(GOOD, **{field: value}), GOOD, 1).verdict == "hold"


def test_waiting_names_what_is_missing() -> None:
    few = replace(GOOD, requests=12)
    assert "12 of 20 requests" in analyse(POLICY, few, GOOD, 1).reason
    assert "the champion has 0 of 5 requests" in analyse(POLICY, GOOD, NOTHING, 1).reason
    assert "the champion has 4 of 5 requests" in analyse(POLICY, GOOD, replace(GOOD, requests=4), 1).reason
    slow = POLICY.model_copy(update={"minimum_seconds": 30.0})
    assert analyse(slow, GOOD, GOOD, 29).verdict == "hold"
    assert analyse(slow, GOOD, GOOD, 30).verdict == "promote"
    assert analyse(slow, GOOD, GOOD, math.nan).verdict == "hold"


def test_errors_beyond_repair_roll_back_before_the_minimum() -> None:
    """Two errors break 5 % of 20 requests whatever the other 18 do; one does not."""
    assert analyse(POLICY, replace(GOOD, requests=3, errors=2), GOOD, 1).verdict == "rollback"
    assert analyse(POLICY, replace(GOOD, requests=3, errors=1), GOOD, 1).verdict == "hold"


def test_a_quick_candidate_is_not_rolled_back_for_milliseconds() -> None:
    quick = replace(GOOD, latency_p95_ms=2.0)
    assert analyse(POLICY, replace(GOOD, latency_p95_ms=90.0), quick, 1).verdict == "promote"


@given(policies, windows, windows, st.floats(allow_nan=True, allow_infinity=True))
def test_a_promotion_has_positive_evidence_for_everything(
    policy: RolloutPolicy, candidate: TrafficWindow, baseline: TrafficWindow, seconds: float
) -> None:
    analysis = analyse(policy, candidate, baseline, seconds)
    if analysis.verdict != "promote":
        return
    assert candidate.requests >= policy.minimum_requests
    assert baseline.requests > 0
    assert 0 <= candidate.errors <= policy.max_error_rate * candidate.requests
    assert candidate.latency_p95_ms is not None
    assert 0 <= candidate.latency_p95_ms <= policy.max_latency_ms
    assert seconds >= policy.minimum_seconds
    if policy.min_feedback is not None:
        assert candidate.feedback_count >= policy.minimum_feedback
        assert candidate.feedback_mean is not None
        assert policy.min_feedback <= candidate.feedback_mean <= 1


@given(policies, windows, windows, st.floats(0, 1000))
def test_the_verdict_follows_from_the_checks(
    policy: RolloutPolicy, candidate: TrafficWindow, baseline: TrafficWindow, seconds: float
) -> None:
    analysis = analyse(policy, candidate, baseline, seconds)
    verdicts = {check.verdict for check in analysis.checks}
    expected = "rollback" if "fail" in verdicts else "promote" if verdicts == {"pass"} else "hold"
    assert analysis.verdict == expected
    assert analysis.reason
    for check in analysis.checks:
        assert check.observed is None or math.isfinite(check.observed)


@given(policies, windows, st.floats(0, 1000))
def test_without_traffic_nothing_is_ever_promoted(policy: RolloutPolicy, baseline: TrafficWindow, t: float) -> None:
    assert analyse(policy, NOTHING, baseline, t).verdict == "hold"


def test_two_equal_releases_are_rarely_told_apart() -> None:
    """A/A: 0.5 % errors and log-normal latencies on both sides, 400 runs: at most 5 % false rollbacks."""
    policy = RolloutPolicy(minimum_requests=20)
    numbers = random.Random(5)

    def window(requests: int) -> TrafficWindow:
        latencies = sorted(numbers.lognormvariate(6, 0.4) for _ in range(requests))
        errors = sum(numbers.random() < 0.005 for _ in range(requests))
        return TrafficWindow(requests, errors, latencies[int(0.95 * (requests - 1))], 0, None)

    wrong = sum(analyse(policy, window(20), window(180), 1).verdict == "rollback" for _ in range(400))
    assert wrong <= 20
