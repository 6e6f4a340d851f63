"""Who learned nothing has lost nothing, and still must not be released; the reason says what the training saw."""

import pytest

from clm.evaluation.comparison import ExampleScore
from clm.evaluation.gate import judge
from clm.evaluation.learned import learned_nothing, refused
from clm.records import Json

STOPPED = {"rule": "epochs", "stopped": "the policy asks for 3 epochs", "steps": 15, "still_falling": True,
           "looks": [[5, 1.58, None], [15, 0.44, None]]}  # fmt: skip
KNOWN = {**STOPPED, "rule": "known", "stopped": "the rows are known after 6.0 epochs (72 steps)",
         "still_falling": False, "looks": [[72, 0.02, None]]}  # fmt: skip
FLAT = {**KNOWN, "rule": "held back", "stopped": "held-back loss stopped falling after 9.0 epochs (90 steps)",
        "looks": [[90, 1.2, 2.9]]}  # fmt: skip


def scores(*given: float) -> list[ExampleScore]:
    return [ExampleScore(f"rec_{n}", score) for n, score in enumerate(given)]


def said(after: list[ExampleScore], before: list[ExampleScore], is_new: bool = True, length: Json | None = None) -> str:
    return learned_nothing("price", after, before, margin=0.05, is_new=is_new, length=length or {}) or ""


def test_nothing_right_before_and_after_passes_the_gate_and_is_refused_here() -> None:
    nothing = scores(*[0.0] * 100)
    verdict = judge({"price": nothing}, {"price": nothing}, {"price": 0.05}, 0.95)
    assert verdict.verdict == "pass"
    told = refused(verdict, said(nothing, nothing, length=STOPPED))
    assert told.verdict == "fail" and told.learned_nothing and told.tasks == verdict.tasks
    assert told.reason == (
        "Learned nothing of price: 0.00 before and 0.00 after on 100 examples, none of them better than before; the "
        "training ended after 15 steps because the policy asks for 3 epochs, at a loss of 0.440, still falling. Raise "
        "training.epochs, or let training.length be auto."
    )


@pytest.mark.parametrize(
    ("length", "told"), [(KNOWN, "It knows the rows"), (FLAT, "no longer falling. Look whether"), ({}, "before.")]
)
def test_the_reason_tells_what_the_training_saw(length: Json, told: str) -> None:
    assert told in said(scores(0, 0), scores(0, 0), length=length)


def test_one_example_better_is_something_for_a_task_that_is_refreshed() -> None:
    assert said(scores(1, 0, 0), scores(0, 1, 0), is_new=False) == ""
    assert "none of them better" in said(scores(0, 1, 0), scores(0, 1, 1), is_new=False)


def test_what_a_new_task_swaps_for_what_the_base_guessed_is_nothing() -> None:
    assert "no more than the untouched base" in said(scores(1, 0, 0), scores(0, 1, 0))
    assert said(scores(1, 1, 0), scores(0, 1, 0)) == ""


def test_where_nothing_could_be_gained_none_is_asked_for() -> None:
    full = scores(*[1.0] * 40)
    assert said(full, full) == said(full, full, is_new=False) == ""
    nearly = [*full[:38], *scores(*[0.0] * 40)[38:]]
    assert said(nearly, nearly) == ""  # within the margin of 1.00
    assert said([], full) == said(full, []) == ""  # what can't be compared is the gate's to tell


def test_a_loss_that_is_shown_stays_the_reason() -> None:
    before, after = scores(*[1.0] * 50, *[0.0] * 50), scores(*[0.0] * 100)
    verdict = judge({"price": after}, {"price": before}, {"price": 0.05}, 0.95)
    assert verdict.verdict == "fail" and refused(verdict, said(after, before)) == verdict
    assert refused(verdict, None) == verdict
