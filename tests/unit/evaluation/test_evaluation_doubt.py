"""Rows that look mislabelled: what is held out of them is not worked out from the rest, though all else is."""

from clm.evaluation.doubt import Answered, doubt, doubted
from clm.records import GateVerdict

ANSWERS = ("a", "b", "c", "d")


def examples(right: int, of: int, is_new: bool, answers: tuple[str, ...] = ANSWERS) -> list[Answered]:
    return [Answered(answers[n % len(answers)], float(n < right), is_new) for n in range(of)]


OLD = examples(95, 100, is_new=False)


def test_wrong_answers_to_what_it_knows_are_doubted() -> None:
    said = doubt("intent", [*OLD, *examples(1, 11, is_new=True)])
    assert said is not None and "0.09 of their 11" in said and "0.95 of the 100" in said
    assert doubt("intent", [*OLD, *examples(5, 11, is_new=True)]) is not None  # half of them


def test_what_is_learned_new_or_scarce_is_not() -> None:
    assert doubt("intent", [*OLD, *examples(10, 11, is_new=True)]) is None
    assert doubt("intent", [*OLD, *examples(8, 11, is_new=True)]) is None  # harder, but worked out
    assert doubt("intent", [*OLD, *examples(0, 40, is_new=True, answers=("x", "y"))]) is None  # new answers are hard
    assert doubt("intent", [*OLD, *examples(0, 4, is_new=True)]) is None
    assert doubt("intent", examples(0, 40, is_new=True)) is None  # a new task
    weak = examples(30, 100, is_new=False)
    assert doubt("intent", [*weak, *examples(2, 11, is_new=True)]) is None


def test_what_is_doubted_never_passes_and_a_shown_loss_stays_told() -> None:
    passed = GateVerdict("pass", "No task lost more than its margin.", ())
    assert doubted(passed, None) is passed
    refused = doubted(passed, "Look")
    assert (refused.verdict, refused.reason, refused.doubted) == ("fail", "Look.", True)
    failed = doubted(GateVerdict("fail", "Worse than allowed.", ()), "Look")
    assert failed.reason == "Look. Worse than allowed." and failed.doubted
