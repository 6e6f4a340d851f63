import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clm.evaluation.gate import ExampleScore, judge
from clm.evaluation.gate import Scores as ScoresByTask


def scored(values: list[float]) -> list[ExampleScore]:
    return [ExampleScore(f"ex{n}", value) for n, value in enumerate(values)]


def right(n: int, of: int) -> list[float]:
    return [1.0] * n + [0.0] * (of - n)


def judge_one(candidate: list[float], champion: list[float], margin: float = 0.05, confidence: float = 0.95):
    verdict = judge({"intent": scored(candidate)}, {"intent": scored(champion)}, {"intent": margin}, confidence)
    return verdict.tasks[0]


def test_a_clear_loss_fails_with_its_numbers() -> None:
    verdict = judge({"intent": scored(right(33, 80))}, {"intent": scored(right(74, 80))}, {"intent": 0.05}, 0.95)
    assert verdict.verdict == "fail"
    assert verdict.tasks[0].reason == (
        "intent: 0.41 against 0.93 on 80 examples, difference -0.51 (95 % bound -0.42), margin 0.05"
    )
    assert verdict.tasks[0].reason in verdict.reason


def test_a_tie_passes_where_examples_suffice_and_is_inconclusive_where_they_do_not() -> None:
    assert judge_one(right(70, 80), right(70, 80)).verdict == "pass"
    few = judge_one(right(35, 40), right(35, 40))
    assert few.verdict == "inconclusive"
    assert few.more_examples is not None and 10 <= few.more_examples <= 60
    assert "more examples would decide" in few.reason


def test_a_small_uncertain_loss_is_inconclusive_and_the_estimate_decides() -> None:
    candidate, champion = [0.0] * 4 + [1.0] * 96, [1.0] * 100
    verdict = judge_one(candidate, champion)
    assert verdict.verdict == "inconclusive" and verdict.more_examples is not None
    times = math.ceil((100 + verdict.more_examples) / 100)
    assert judge_one(candidate * times, champion * times).verdict == "pass"


def test_no_estimate_where_the_loss_is_the_margin() -> None:
    verdict = judge_one([0.0] * 5 + [1.0] * 95, [1.0] * 100)
    assert verdict.verdict == "inconclusive" and verdict.more_examples is None


@pytest.mark.parametrize("n", [2, 3])
def test_a_gain_on_a_few_examples_needs_a_few_more(n: int) -> None:
    few = judge_one(right(n, n), right(0, n))
    assert few.verdict == "inconclusive" and few.more_examples is not None and few.more_examples <= 6
    more = n + few.more_examples
    assert judge_one(right(more, more), right(0, more)).verdict == "pass"


def test_a_gain_passes() -> None:
    assert judge_one(right(70, 80), right(5, 80)).verdict == "pass"


def test_graded_scores_are_judged_too() -> None:
    random = np.random.default_rng(3)
    champion = random.uniform(0.6, 1.0, 90)
    assert judge_one(list(champion), list(champion)).verdict == "pass"
    assert judge_one(list(champion - 0.5), list(champion)).verdict == "fail"
    assert judge_one(list(champion - 0.045), list(champion)).verdict == "inconclusive"


def test_every_task_must_pass() -> None:
    good, bad, unclear = scored(right(80, 80)), scored(right(0, 80)), scored(right(9, 10))
    margins = {"a": 0.05, "b": 0.05}
    champion = {"a": good, "b": good}
    assert judge({"a": good, "b": good}, champion, margins, 0.95).verdict == "pass"
    assert judge({"a": good, "b": bad}, champion, margins, 0.95).verdict == "fail"
    few = {"a": good, "b": unclear}
    assert judge(few, few, margins, 0.95).verdict == "inconclusive"
    assert judge({"a": bad, "b": unclear}, {"a": good, "b": unclear}, margins, 0.95).verdict == "fail"


FULL = scored(right(80, 80))


@pytest.mark.parametrize(
    ("candidate", "champion", "margins", "reason"),
    [
        ({}, {}, {}, "Nothing was evaluated"),
        ({"intent": []}, {"intent": []}, {"intent": 0.05}, "no scores of the candidate"),
        ({}, {"intent": FULL}, {"intent": 0.05}, "no scores of the candidate"),
        ({"intent": FULL}, {}, {"intent": 0.05}, "no scores of the champion"),
        ({"intent": FULL}, {"intent": FULL}, {}, "needs a margin"),
        ({"intent": FULL}, {"intent": FULL}, {"intent": math.nan}, "needs a margin"),
        ({"intent": FULL}, {"intent": FULL}, {"intent": 0.05, "facts": 0.05}, "facts: no scores"),
        ({"intent": FULL[1:]}, {"intent": FULL}, {"intent": 0.05}, "1 examples were scored for only one"),
        ({"intent": [*FULL, FULL[0]]}, {"intent": FULL}, {"intent": 0.05}, "scored twice"),
        ({"intent": [replace(FULL[0], score=math.nan), *FULL[1:]]}, {"intent": FULL}, {"intent": 0.05}, "not a number"),
        ({"intent": FULL}, {"intent": [replace(FULL[0], score=1.5), *FULL[1:]]}, {"intent": 0.05}, "not a number"),
    ],
)
def test_without_clean_data_nothing_passes(
    candidate: ScoresByTask, champion: ScoresByTask, margins: dict[str, float], reason: str
) -> None:
    verdict = judge(candidate, champion, margins, 0.95)
    assert verdict.verdict == "inconclusive"
    assert reason in verdict.reason


score_lists = st.one_of(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=120),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30),
)


@given(score_lists, st.floats(0.01, 0.3), st.floats(0.6, 0.99))
def test_invariants(pairs: list[tuple[float, float]], margin: float, confidence: float) -> None:
    candidate, champion = [a for a, _ in pairs], [b for _, b in pairs]
    verdict = judge_one(candidate, champion, margin, confidence)
    assert -1 <= verdict.lower_bound <= verdict.difference + 1e-9
    if abs(verdict.lower_bound + margin) > 1e-3:  # the bound is found by halving
        assert (verdict.verdict == "pass") == (verdict.lower_bound >= -margin)
    assert judge_one(candidate[::-1], champion[::-1], margin, confidence).difference == pytest.approx(
        verdict.difference
    )
    if verdict.verdict == "pass":
        # More tolerance doesn't turn a pass around. With fewer than ten examples it can: what counts as just as extreme
        # changes with the margin, and Barnard's p-value jumps there.
        if len(pairs) >= 10:
            assert judge_one(candidate, champion, margin + 0.1, confidence).verdict == "pass"
        better = [max(a, b) for a, b in pairs]
        if set(candidate) <= {0.0, 1.0} and set(champion) <= {0.0, 1.0}:
            assert judge_one(better, champion, margin, confidence).verdict == "pass"
    if verdict.verdict == "fail":
        assert verdict.difference < -margin


@pytest.mark.parametrize("champion_skill", [0.95, 0.75])
def test_error_rates_hold(champion_skill: float) -> None:
    """600 simulated updates: a loss of the margin rarely passes, no loss rarely fails."""
    random = np.random.default_rng(11)
    margin, n, runs = 0.1, 90, 600
    passed_bad = failed_good = passed_good = 0
    for _ in range(runs):
        champion = (random.random(n) < champion_skill).astype(float)
        bad = np.where(random.random(n) < margin / champion_skill, 0.0, champion)  # loses `margin` on average
        noise = random.random(n) < 0.02
        same = np.where(noise, 1 - champion, champion)
        passed_bad += judge_one(list(bad), list(champion), margin).verdict == "pass"
        verdict = judge_one(list(same), list(champion), margin).verdict
        failed_good += verdict == "fail"
        passed_good += verdict == "pass"
    assert passed_bad / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert failed_good / runs <= 0.01
    assert passed_good / runs >= 0.8
