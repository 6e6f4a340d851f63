"""The analysis: is the candidate doing well enough in live traffic to go on? Pure, total, and honest about no data.

One question per check. A rollback needs one check that fails; a promotion needs every check to pass on enough data.
Anything else, NaN and contradicting numbers included, holds: traffic stays as it is.
"""

import math
from dataclasses import dataclass
from typing import Literal

from clm.policies import RolloutPolicy
from clm.records import TrafficWindow

CheckVerdict = Literal["pass", "fail", "no-data", "inconclusive"]
AnalysisVerdict = Literal["promote", "rollback", "hold"]

LATENCY_FLOOR_MS = 250.0  # below this p95 a candidate is quick enough, whatever the ratio: timings there are noise
BASELINE_MINIMUM = 5  # champion's requests below which its p95 is no yardstick


@dataclass(frozen=True)
class Check:
    """One question: what was observed (None: nothing), the limit it is held against, on how many observations."""

    name: str
    verdict: CheckVerdict
    observed: float | None
    limit: float
    n: int
    sentence: str


@dataclass(frozen=True)
class Analysis:
    verdict: AnalysisVerdict
    reason: str
    checks: tuple[Check, ...]


def analyse(
    policy: RolloutPolicy, candidate: TrafficWindow, baseline: TrafficWindow, seconds_on_step: float
) -> Analysis:
    """Judges one step of a rollout. Both windows cover the same time; may be called after every request.

    Never raises: numbers that make no sense are inconclusive.
    """
    checks = [
        _requests(policy, candidate),
        _time(policy, seconds_on_step),
        _errors(policy, candidate, baseline),
        _latency(policy, candidate),
        _latency_ratio(policy, candidate, baseline),
    ]
    if policy.min_feedback is not None:
        checks.append(_feedback(policy, policy.min_feedback, candidate))
    failed = [c for c in checks if c.verdict == "fail"]
    if failed:
        return Analysis("rollback", "; ".join(c.sentence for c in failed), tuple(checks))
    waiting = [c for c in checks if c.verdict != "pass"]
    if waiting:
        few = waiting[0].name == "requests"  # then that alone is the reason: the others wait for the same
        return Analysis("hold", "; ".join(c.sentence for c in (waiting[:1] if few else waiting)), tuple(checks))
    sentences = [c.sentence for c in checks if c.name not in ("requests", "time", "latency")]  # the rest is in those
    return Analysis("promote", "; ".join(sentences), tuple(checks))


def _requests(policy: RolloutPolicy, seen: TrafficWindow) -> Check:
    n, limit = seen.requests, policy.minimum_requests
    return Check("requests", "pass" if n >= limit else "no-data", n, limit, n, f"{n} of {limit} requests")


def _time(policy: RolloutPolicy, seconds: float) -> Check:
    limit = policy.minimum_seconds
    if not _is_amount(seconds):
        return Check("time", "inconclusive", None, limit, 0, "the time on this step is not known")
    verdict = "pass" if seconds >= limit else "no-data"
    return Check("time", verdict, seconds, limit, 1, f"{seconds:.0f} s of {limit:.0f} s on this step")


def _errors(policy: RolloutPolicy, seen: TrafficWindow, baseline: TrafficWindow) -> Check:
    """Fails as soon as the errors seen are too many even if every request up to the minimum went well."""
    n, limit = seen.requests, policy.max_error_rate
    if n <= 0:
        return Check("error rate", "no-data", None, limit, 0, "no request yet, so no error rate")
    if not 0 <= seen.errors <= n:
        return Check("error rate", "inconclusive", None, limit, n, f"{seen.errors} errors in {n} requests can't be")
    rate = seen.errors / n
    champion = f" (champion {baseline.errors} of {baseline.requests})" if baseline.requests > 0 else ""
    sentence = f"{seen.errors} errors in {n} requests, {rate:.1%} against at most {limit:.1%}{champion}"
    if seen.errors > limit * max(n, policy.minimum_requests):
        return Check("error rate", "fail", rate, limit, n, sentence)
    return Check("error rate", "pass" if n >= policy.minimum_requests else "no-data", rate, limit, n, sentence)


def _latency(policy: RolloutPolicy, seen: TrafficWindow) -> Check:
    n, limit, p95 = seen.requests, policy.max_latency_ms, seen.latency_p95_ms
    if p95 is None or n < policy.minimum_requests:
        return Check("latency", "no-data", None, limit, n, f"p95 latency needs {policy.minimum_requests} requests")
    if not _is_amount(p95):
        return Check("latency", "inconclusive", None, limit, n, "p95 latency is not a number")
    sentence = f"p95 latency {p95:.0f} ms against at most {limit:.0f} ms"
    return Check("latency", "pass" if p95 <= limit else "fail", p95, limit, n, sentence)


def _latency_ratio(policy: RolloutPolicy, seen: TrafficWindow, baseline: TrafficWindow) -> Check:
    n, limit = seen.requests, policy.max_latency_ratio
    p95, yardstick = seen.latency_p95_ms, baseline.latency_p95_ms
    needed = min(BASELINE_MINIMUM, policy.minimum_requests)
    if p95 is None or n < policy.minimum_requests:
        sentence = f"p95 latency needs {policy.minimum_requests} requests"
        return Check("latency ratio", "no-data", None, limit, n, sentence)
    if yardstick is None or baseline.requests < needed:
        sentence = f"the champion has {baseline.requests} of {needed} requests to compare latency with"
        return Check("latency ratio", "no-data", None, limit, n, sentence)
    if not _is_amount(p95) or not _is_amount(yardstick):
        return Check("latency ratio", "inconclusive", None, limit, n, "p95 latency is not a number")
    ratio = p95 / max(yardstick, 1.0)
    sentence = f"p95 latency {p95:.0f} ms, champion {yardstick:.0f} ms, {ratio:.1f} times against at most {limit:.1f}"
    good = ratio <= limit or p95 <= LATENCY_FLOOR_MS
    return Check("latency ratio", "pass" if good else "fail", ratio, limit, n, sentence)


def _feedback(policy: RolloutPolicy, limit: float, seen: TrafficWindow) -> Check:
    n, mean = seen.feedback_count, seen.feedback_mean
    if mean is None or n < policy.minimum_feedback:
        sentence = f"{n} of {policy.minimum_feedback} feedback scores"
        return Check("feedback", "no-data", None, limit, n, sentence)
    if not _is_amount(mean) or mean > 1:
        return Check("feedback", "inconclusive", None, limit, n, "the mean feedback is not a score between 0 and 1")
    sentence = f"mean feedback {mean:.2f} on {n} scores against at least {limit:.2f}"
    return Check("feedback", "pass" if mean >= limit else "fail", mean, limit, n, sentence)


def _is_amount(value: float) -> bool:
    return math.isfinite(value) and value >= 0
