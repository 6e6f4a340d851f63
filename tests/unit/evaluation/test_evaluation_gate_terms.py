"""Same routes, slices, gains, stale answers and the average: what else the gate goes by."""

import numpy as np
import pytest

from clm.evaluation.gate import BestEver, ExampleScore, Handed, Terms, judge
from clm.evaluation.spending import level_of
from clm.facts import SliceKind
from clm.records import BASE, GateVerdict, TaskVerdict


def examples(
    scores: list[float],
    expert: str | None = None,
    slice: int = 1,
    kind: SliceKind = "held_out",
    name: str = "ex",
    stale: int = 0,
) -> list[ExampleScore]:
    return [
        ExampleScore(f"{name}{n}", score, answered_by=expert, slice=slice, kind=kind, stale=n < stale)
        for n, score in enumerate(scores)
    ]


def judged(ours: list[ExampleScore], theirs: list[ExampleScore], **terms: object) -> TaskVerdict:
    return judge({"t": ours}, {"t": theirs}, {"t": 0.05}, 0.95, terms=Terms(**terms)).tasks[0]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n", [1, 20, 51])
def test_the_same_expert_by_the_same_route_passes_with_any_number_of_examples(n: int) -> None:
    same = examples([1.0] * n, "hash")
    told = judged(same, same)
    assert (told.verdict, told.passed_by, told.changed) == ("pass", "route", 0)
    assert f"none of {n} prompts changes hands" in told.reason and "leaves room for" in told.reason
    assert judged(examples([1.0] * n, "other"), same).verdict == "inconclusive"
    assert judged(examples([1.0] * n), examples([1.0] * n)).changed is None  # nothing is known of the route


def test_prompts_beyond_the_suite_bound_the_share_that_changes_hands() -> None:
    theirs = examples([1.0] * 40, "hash")
    ours = [*examples([0.0], BASE), *theirs[1:]]
    assert judged(ours, theirs).verdict == "inconclusive"
    told = judged(ours, theirs, handed={"t": Handed(1, 200)})
    assert (told.verdict, told.passed_by, told.changed) == ("pass", "route", 1)
    assert "2 of 240 prompts change hands" in told.reason and "at most 2.6%" in told.reason
    assert judged(ours, theirs, handed={"t": Handed(20, 200)}).verdict == "inconclusive"


def test_of_the_suite_only_what_scores_less_can_be_lost_by_the_route() -> None:
    theirs = examples([0.0] * 6 + [1.0] * 94, "hash")
    ours = [*examples([1.0] * 6 + [0.0] * 2, "other"), *theirs[8:]]  # six came to one that knows them, two were lost
    told = judged(ours, theirs, handed={"t": Handed(8, 300)})
    assert (told.verdict, told.passed_by, told.changed) == ("pass", "route", 8)
    assert "16 of 400 prompts change hands (10 that score less, or whose score is not known)" in told.reason
    alone = judged(ours, theirs)  # without prompts beyond the suite all that change hands count
    assert alone.passed_by != "route"


def test_a_true_loss_by_the_route_seldom_passes() -> None:
    random, passed = np.random.default_rng(5), 0
    for _ in range(300):
        lost, won = random.random(100) < 0.05, random.random(100) < 0.03
        theirs = examples([0.0 if up else 1.0 for up in won], "hash")
        ours = [
            ExampleScore(one.example_id, 0.0 if down else 1.0, answered_by="other" if down or up else "hash", slice=1)
            for one, down, up in zip(theirs, lost, won, strict=True)
        ]
        beyond = int((random.random(400) < 0.05).sum())
        passed += judged(ours, theirs, handed={"t": Handed(beyond, 400)}).passed_by == "route"
    assert passed <= 0.08 * 300  # 5 %, and what 300 draws may be off


def test_one_graded_score_leaves_a_suite_with_the_exact_test() -> None:
    """60 right answers, one of them half right on both sides, or half lost: no bootstrap, no bet."""
    theirs = examples([1.0] * 60)
    half = examples([0.5, *[1.0] * 59])
    assert judged(half, half).passed_by == "scores"
    lost = [judged(examples([*[1.0] * k, 0.5, *[1.0] * (59 - k)]), theirs).verdict for k in range(60)]
    assert 15 <= lost.count("pass") <= 45  # a half counts as a whole loss for every other example


@pytest.mark.parametrize(("won", "lost"), [(won, lost) for won in (0, 1, 3) for lost in (0, 1, 2, 4, 7)])
def test_the_bound_that_is_shown_is_the_one_that_decides(won: int, lost: int) -> None:
    """Also where a part of the error rate is kept for the likelihoods: 1 lost of 100 is no pass at 96.7 %."""

    def scored(scores: list[float]) -> list[ExampleScore]:
        return [ExampleScore(f"ex{n}", score, likelihood=-0.05 if score else -3.0, answered_by=None, slice=1)
                for n, score in enumerate(scores)]  # fmt: skip

    theirs, ours = [0.0] * won + [1.0] * (100 - won), [1.0] * won + [0.0] * lost + [1.0] * (100 - won - lost)
    told = judged(scored(ours), scored(theirs))
    assert "96.7 % bound" in told.reason or told.verdict == "fail"
    assert (told.lower_bound >= -0.05) == (told.passed_by == "scores"), told.reason


def test_where_the_older_examples_decide_the_sentence_speaks_of_them() -> None:
    old = examples([1.0] * 70, name="old")
    lost = examples([0.0] * 2 + [1.0] * 68, name="old")
    before, after = examples([0.0] * 20, slice=2, name="new"), examples([1.0] * 20, slice=2, name="new")
    told = judged([*lost, *after], [*old, *before], legacy={"t": 1})
    assert told.verdict == "inconclusive"
    assert "0.97 against 1.00 on 70 older examples, difference -0.03" in told.reason
    assert told.lower_bound < -0.05 and (told.n, told.difference) == (90, pytest.approx(18 / 90))


def test_new_slices_have_to_show_a_gain_unless_none_is_asked_for() -> None:
    old = examples([1.0] * 80, name="old")
    before, after = examples([0.0] * 8, slice=2, name="new"), examples([0.0] * 4 + [1.0] * 4, slice=2, name="new")
    none = judged([*old, *before], [*old, *before], legacy={"t": 1})
    assert none.verdict == "inconclusive" and "nothing is gained on its 8 new examples" in none.reason
    assert judged([*old, *before], [*old, *before], legacy={"t": 1}, require_gain=False).verdict == "pass"
    told = judged([*old, *after], [*old, *before], legacy={"t": 1})
    assert told.verdict == "pass"
    assert {(s.name, s.n, s.candidate, s.champion) for s in told.slices} == {
        ("legacy", 80, 1.0, 1.0),
        ("new", 8, 0.5, 0.0),
    }
    known = examples([1.0] * 8, slice=2, name="new")
    assert judged([*old, *known], [*old, *known], legacy={"t": 1}).verdict == "pass"  # nothing was left to gain


def test_a_gain_on_what_is_new_does_not_pay_for_what_is_old() -> None:
    new, learned = examples([0.0] * 40, slice=3, name="new"), examples([1.0] * 40, slice=3, name="new")
    old = examples([1.0] * 80, slice=2, name="old")
    worse = examples([0.0] * 12 + [1.0] * 68, slice=2, name="old")
    told = judged([*worse, *learned], [*old, *new], legacy={"t": 2})
    assert told.difference > 0 and told.verdict == "fail"
    assert "a loss is shown on its legacy (-0.15 on 80)" in told.reason
    few, lost = examples([1.0] * 20, name="old"), examples([0.0] * 3 + [1.0] * 17, name="old")
    hinted = judged([*lost, *learned], [*few, *new], legacy={"t": 2})
    assert hinted.verdict == "inconclusive" and "legacy examples hint at a loss (-0.15 on 20)" in hinted.reason
    assert judged([*few, *learned], [*few, *new], legacy={"t": 2}).verdict == "pass"


def test_one_old_slice_that_is_lost_fails_though_the_others_hide_it() -> None:
    first, second = examples([1.0] * 30, slice=1, name="a"), examples([1.0] * 300, slice=2, name="b")
    told = judged([*examples([0.0] * 14 + [1.0] * 16, slice=1, name="a"), *second], [*first, *second])
    assert told.difference > -0.05 and told.verdict == "fail"
    assert {s.name: s.verdict for s in told.slices} == {"legacy": "pass", "slice 1": "fail", "slice 2": "pass"}


def test_taught_prompts_are_examined_and_never_counted_as_generalisation() -> None:
    held_out, taught = examples([0.0] * 5 + [1.0] * 5, name="h"), examples([1.0] * 60, kind="recall", name="r")
    told = judged([*held_out, *taught], [*held_out, *taught])
    assert (told.verdict, told.candidate, told.n) == ("pass", 0.5, 10)
    assert "(60 of them taught)" in told.reason
    forgot = examples([0.0] * 20 + [1.0] * 40, kind="recall", name="r")
    told = judged([*held_out, *forgot], [*held_out, *taught])
    assert told.verdict == "fail" and told.difference == 0.0


def test_stale_answers_are_counted() -> None:
    told = judged(examples([0.0] * 2 + [1.0] * 78, stale=2), examples([0.0] * 80))
    assert told.stale == 2 and told.slices[0].stale == 2 and "2 answers are stale" in told.reason


def six_tasks(lost: int) -> GateVerdict:
    """Six tasks of 100 examples each lost `lost` points since their best, and none since the champion."""
    names = [f"t{number}" for number in range(6)]
    now = examples([0.0] * lost + [1.0] * (100 - lost), "new")
    best = {name: BestEver("v1", examples([1.0] * 100, "old"), 0.1, 1) for name in names}
    scores = dict.fromkeys(names, now)
    return judge(scores, scores, dict.fromkeys(names, 0.05), 0.95, best, terms=Terms(overall_margin=0.03))


def test_small_losses_on_many_tasks_are_one_large_one() -> None:
    assert six_tasks(3).verdict == "pass"
    verdict = six_tasks(4)
    assert {task.verdict for task in verdict.tasks} == {"pass"} and verdict.verdict == "inconclusive"
    assert verdict.average == pytest.approx(-0.04) and "together they lost 0.04 on average" in verdict.reason


def test_likelihoods_pass_only_where_the_scores_show_no_loss() -> None:
    random = np.random.default_rng(40)
    sure = random.uniform(-0.3, -0.05, 80).tolist()
    theirs = [ExampleScore(f"ex{n}", 1.0, likelihood=value) for n, value in enumerate(sure)]
    ours = [ExampleScore(f"ex{n}", float(n > 1), likelihood=value) for n, value in enumerate(sure)]
    told = judged(ours, theirs)
    assert (told.verdict, told.passed_by) == ("pass", "likelihood") and "rules a larger loss out" in told.reason
    assert judged([ExampleScore(e.example_id, e.score) for e in ours], theirs).verdict == "inconclusive"
    shown = [ExampleScore(f"ex{n}", float(n > 7), likelihood=value) for n, value in enumerate(sure)]
    assert judged(shown, theirs).verdict != "pass"


def test_repairs_look_at_the_same_examples_with_a_share_of_the_error_rate() -> None:
    """200 examples, nothing lost: as a try among two there is less room than for the update's own candidate."""
    theirs = examples([1.0] * 200)
    ours = examples([0.0] * 3 + [1.0] * 197)
    assert judged(ours, theirs).verdict == judged(ours, theirs, tries=2).verdict == "pass"
    assert judged(ours, theirs, tries=2, is_try=True).verdict == "inconclusive"
    assert judged(theirs, theirs, tries=2, is_try=True).verdict == "pass"
    few = examples([1.0] * 60)  # just enough for the whole rate
    assert judged(few, few, tries=2).verdict == "pass"
    assert judged(few, few, tries=2, is_try=True).verdict == "inconclusive"


def test_all_looks_together_pass_a_true_loss_as_rarely_as_one() -> None:
    """The own candidate and the four tries of a policy, all of which truly lose the margin, at their worst: alike."""
    spent = [level_of(0.05, 200, 0.05, tries=4, is_try=each > 0) for each in range(5)]
    assert sum(spent) == pytest.approx(0.05) and spent[0] == pytest.approx(0.045)
    assert level_of(0.05, 60, 0.05, tries=4, is_try=False) == 0.05 and level_of(0.05, 60, 0.05, 4, is_try=True) == 0.0
    assert level_of(0.05, 200, 0.05, tries=0, is_try=False) == 0.05
