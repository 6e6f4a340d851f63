"""For a protected task any shown loss fails, within the stated error rate."""

import numpy as np
import pytest

from clm.evaluation.gate import ExampleScore, judge
from clm.evaluation.protection import protect

CONFIDENCE = 0.95


def scores(right: list[bool]) -> list[ExampleScore]:
    return [ExampleScore(f"rec_{n}", float(good)) for n, good in enumerate(right)]


def judged(lost: int, won: int, n: int = 400, margin: float = 0.1) -> tuple[str, str]:
    """(the gate's verdict, the verdict with protection) for a task of `n` examples."""
    before = [True] * (n - won) + [False] * won
    after = [False] * lost + [True] * (n - lost)
    verdict = judge({"t": scores(after)}, {"t": scores(before)}, {"t": margin}, CONFIDENCE)
    return verdict.verdict, protect(verdict, {"t"}, CONFIDENCE).verdict


@pytest.mark.parametrize(
    ("lost", "won", "expected"),
    [(0, 0, ("pass", "pass")), (4, 0, ("pass", "pass")), (5, 0, ("pass", "fail")), (12, 10, ("pass", "pass")),
     (12, 2, ("pass", "fail")), (2, 12, ("pass", "pass"))],
)  # fmt: skip
def test_a_loss_within_the_margin_fails_once_it_is_shown(lost: int, won: int, expected: tuple[str, str]) -> None:
    assert judged(lost, won) == expected


def test_other_tasks_are_judged_as_before_and_the_reason_names_the_protected_one() -> None:
    good, worse = [True] * 200, [False] * 8 + [True] * 192
    both = {"kept": scores(worse), "other": scores(worse)}
    verdict = judge(both, {"kept": scores(good), "other": scores(good)}, {"kept": 0.1, "other": 0.1}, CONFIDENCE)
    assert protect(verdict, set(), CONFIDENCE) == verdict
    strict = protect(verdict, {"kept"}, CONFIDENCE)
    assert {task.task: task.verdict for task in strict.tasks} == {"kept": "fail", "other": "pass"}
    assert strict.verdict == "fail" and "it is protected, and a loss of 0.04 is shown" in strict.reason
    assert "other" not in strict.reason


def test_changing_nothing_fails_at_the_stated_rate_at_most() -> None:
    random = np.random.default_rng(5)
    failed = 0
    for _ in range(400):
        tasks = {name: random.random((2, 120)) < 0.8 for name in ("a", "b", "c")}
        ours = {name: scores(both[0].tolist()) for name, both in tasks.items()}
        theirs = {name: scores(both[1].tolist()) for name, both in tasks.items()}
        verdict = judge(ours, theirs, dict.fromkeys(tasks, 0.3), CONFIDENCE)
        failed += protect(verdict, set(tasks), CONFIDENCE).verdict == "fail"
    assert failed / 400 <= 0.05 + 0.02
