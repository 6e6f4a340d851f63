"""1,000 simulated updates each: the stated error rates hold, with several tasks and with early stopping."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from clm.evaluation.comparison import ExampleScore, clearly_worse
from clm.evaluation.gate import BestEver, judge
from clm.evaluation.sequential import examining_order, look_sizes
from clm.records import GateVerdict

UPDATES, TASKS, MARGIN, CONFIDENCE = 1000, 3, 0.05, 0.95
ALLOWED = 0.05 + 3 * math.sqrt(0.05 * 0.95 / UPDATES)  # what 1,000 updates show of a true 5 %, within 3 deviations
NAMES = [f"rec_{number:04d}" for number in range(400)]


def scored(values: NDArray[np.float64]) -> list[ExampleScore]:
    return list(map(ExampleScore, NAMES, values.tolist()))


def answers(random: np.random.Generator, n: int, loss: float, differ: float = 0.03, skill: float = 0.85):
    """Champion and candidate, right or wrong: they differ on a share of the examples, and the candidate loses."""
    champion = (random.random(n) < skill).astype(float)
    losing, winning = (differ / 2 + loss) / skill, (differ / 2) / (1 - skill)
    turned = random.random(n) < np.where(champion == 1, losing, winning)
    return champion, np.where(turned, 1 - champion, champion)


def stopped(ours: list[ExampleScore], theirs: list[ExampleScore]) -> list[ExampleScore]:
    """The answers that there are when evaluation stops as soon as it may."""
    by_name = {example.example_id: example for example in ours}
    order = examining_order(by_name)
    for size in look_sizes(len(order)):
        seen = [by_name[name] for name in order[:size]]
        if clearly_worse(seen, theirs, MARGIN, CONFIDENCE, TASKS):
            return seen
    return ours


def update(random: np.random.Generator, n: int, losses: list[float], early_stop: bool) -> GateVerdict:
    candidate: dict[str, list[ExampleScore]] = {}
    champion: dict[str, list[ExampleScore]] = {}
    for number, loss in enumerate(losses):
        theirs, ours = map(scored, answers(random, n, loss))
        champion[f"t{number}"] = theirs
        candidate[f"t{number}"] = stopped(ours, theirs) if early_stop else ours
    return judge(candidate, champion, dict.fromkeys(champion, MARGIN), CONFIDENCE, early_stop=early_stop)


def test_a_thousand_updates_that_change_nothing_are_hardly_ever_rejected() -> None:
    random = np.random.default_rng(21)
    verdicts = Counter(update(random, 120, [0.0] * TASKS, early_stop=True).verdict for _ in range(UPDATES))
    assert verdicts["fail"] / UPDATES <= 0.01
    assert verdicts["pass"] / UPDATES >= 0.4  # of right and wrong alone, see test_evaluation_likelihood.py


@pytest.mark.parametrize("early_stop", [False, True])
def test_a_thousand_updates_that_lose_no_more_than_the_margin_anywhere_are_rejected_as_rarely_as_stated(
    early_stop: bool,
) -> None:
    """The hardest case that must not fail: every task loses the whole margin, none loses more."""
    random = np.random.default_rng(22)
    verdicts = Counter(update(random, 120, [MARGIN] * TASKS, early_stop).verdict for _ in range(UPDATES))
    assert verdicts["fail"] / UPDATES <= ALLOWED


def test_a_thousand_updates_that_lose_five_points_on_one_task_pass_as_rarely_as_stated() -> None:
    random = np.random.default_rng(23)
    verdicts = Counter(update(random, 120, [MARGIN, 0.0, 0.0], early_stop=True).verdict for _ in range(UPDATES))
    assert verdicts["pass"] / UPDATES <= ALLOWED


def test_a_broken_candidate_is_found_out_early_and_fails_on_what_was_answered() -> None:
    random = np.random.default_rng(24)
    theirs, ours = map(scored, answers(random, 200, 0.5))
    seen = stopped(ours, theirs)
    assert len(seen) == 50
    verdict = judge({"t0": seen}, {"t0": theirs}, {"t0": MARGIN}, CONFIDENCE, early_stop=True)
    assert verdict.verdict == "fail" and "on 50 of 200 examples" in verdict.reason


def test_a_part_of_a_suite_never_passes_and_only_a_looks_part_is_compared() -> None:
    whole = [replace(example, answered_by="expert") for example in scored(np.ones(200))]  # nothing can be lost
    first = set(examining_order(NAMES[:200])[:50])
    part = [example for example in whole if example.example_id in first]
    for some in (part, part[1:], whole[:50]):
        verdict = judge({"t0": some}, {"t0": whole}, {"t0": MARGIN}, CONFIDENCE, early_stop=True)
        assert verdict.verdict == "inconclusive"
    assert "only one of the champion and the candidate" in judge(
        {"t0": part}, {"t0": whole}, {"t0": MARGIN}, CONFIDENCE
    ).reason  # fmt: skip


def test_ten_small_losses_each_within_the_margin_fail_against_the_best() -> None:
    """Each release loses 2 points. Each passes against the one before it; the tenth lost 20 points since the first."""
    n = 400
    releases = [np.concatenate([np.zeros(8 * lost), np.ones(n - 8 * lost)]) for lost in range(11)]
    for before, after in pairwise(releases):
        assert judge({"a": scored(after)}, {"a": scored(before)}, {"a": MARGIN}, CONFIDENCE).verdict == "pass"
    best = BestEver("v1", scored(releases[0]), margin=2 * MARGIN, chosen_from=10)
    verdict = judge({"a": scored(releases[10])}, {"a": scored(releases[9])}, {"a": MARGIN}, CONFIDENCE, {"a": best})
    assert verdict.verdict == "fail"
    assert "lost 0.20 since its best, v1, more than 0.1" in verdict.reason
    assert verdict.tasks[0].since_best == pytest.approx(-0.2)
    third = judge({"a": scored(releases[3])}, {"a": scored(releases[2])}, {"a": MARGIN}, CONFIDENCE, {"a": best})
    assert third.verdict == "pass"
    fifth = judge({"a": scored(releases[5])}, {"a": scored(releases[4])}, {"a": MARGIN}, CONFIDENCE, {"a": best})
    assert fifth.verdict == "inconclusive" and "since its best, v1, is not ruled out" in fifth.reason


def test_the_best_of_many_releases_is_not_held_against_an_unchanged_one() -> None:
    """Ten releases of the same skill; the luckiest is taken for the best. Unchanged candidates still don't fail."""
    random = np.random.default_rng(25)
    failed = 0
    for _ in range(UPDATES):
        skill = (random.random(100) < 0.85).astype(float)
        drawn = [np.where(random.random(100) < 0.05, 1 - skill, skill) for _ in range(11)]
        *releases, candidate = sorted(drawn[:10], key=np.mean), drawn[10]
        luckiest = BestEver("v3", scored(releases[0][-1]), 2 * MARGIN, 10)
        champion = scored(releases[0][4])
        failed += judge(
            {"a": scored(candidate)}, {"a": champion}, {"a": MARGIN}, CONFIDENCE, {"a": luckiest}
        ).verdict == "fail"  # fmt: skip
    assert failed / UPDATES <= ALLOWED


def test_thirty_examples_and_a_three_point_margin_decide_nothing() -> None:
    verdict = judge({"a": scored(np.ones(30))}, {"a": scored(np.ones(30))}, {"a": 0.03}, CONFIDENCE)
    assert verdict.verdict == "inconclusive"
    task = verdict.tasks[0]
    assert task.power == 0.0 and task.p_value == 1.0
    assert task.more_examples is not None and 50 <= task.more_examples <= 70
    assert f"passes with probability 0.00; about {task.more_examples} more examples would decide" in task.reason
    more = np.ones(30 + task.more_examples)
    assert judge({"a": scored(more)}, {"a": scored(more)}, {"a": 0.03}, CONFIDENCE).verdict == "pass"


def test_many_tasks_must_show_a_loss_more_clearly_than_one() -> None:
    """7 lost pairs of 60 at a margin of 3 points: a loss for one task alone, chance among twenty."""
    theirs = scored(np.ones(60))
    ours = scored(np.concatenate([np.zeros(7), np.ones(53)]))
    alone = judge({"t0": ours}, {"t0": theirs}, {"t0": 0.03}, CONFIDENCE)
    assert alone.verdict == "fail"
    names = [f"t{number}" for number in range(20)]
    same = dict.fromkeys(names, theirs)
    among = judge({**same, "t0": ours}, same, dict.fromkeys(names, 0.03), CONFIDENCE)
    assert among.tasks[0].verdict == "inconclusive"


@pytest.mark.parametrize("broken", [math.nan, 1.5])
def test_a_best_that_can_not_be_compared_keeps_from_passing(broken: float) -> None:
    whole = scored(np.ones(200))
    best = [ExampleScore(whole[0].example_id, broken), *whole[1:]]
    for scores in (best, whole[1:], [*whole, whole[0]], []):
        verdict = judge(
            {"a": whole}, {"a": whole}, {"a": MARGIN}, CONFIDENCE, {"a": BestEver("v3", scores, 0.1, 2)}
        )  # fmt: skip
        assert verdict.verdict == "inconclusive" and "against its best, v3:" in verdict.reason
