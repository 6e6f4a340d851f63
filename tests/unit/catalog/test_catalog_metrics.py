"""Which metric is proposed for which rows, and when exact match is warned about."""

import pytest

from clm.catalog.metrics import advice, propose
from clm.records import Json, Shape

SENTENCE = "You can return the lamp within thirty days of the purchase, number {}, if it is unused and in its box."


def rows(answers: list[str], **more: object) -> list[tuple[Shape, Json]]:
    return [("completion", {"prompt": f"q {n}", "completion": answer, **more}) for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "metric"),
    [
        (["returns", "shipping", "a new order"] * 9, "exact_match"),
        ([f"Rome{n}" for n in range(20)], "exact_match"),
        ([f"{n} euros" for n in range(20)], "number"),
        ([f"{n},200" for n in range(1, 20)], "number"),
        ([f'{{"n": {n}}}' for n in range(20)], "json_fields"),
        ([f"about {n} hours of battery life" for n in range(20)], "number"),
        ([f"The lamp costs {n} euros." for n in range(8)] * 6, "exact_match"),
        ([f"the {name} and the lamp" for name in "abcdefghij"], "token_f1"),
        ([SENTENCE.format(n) for n in range(20)], "rouge_l"),
        (["これは長い答えですから空白がありません " * 9 + str(n) for n in range(20)], "chrf"),
        ([SENTENCE, "No, you can not return this lamp, since it was used for a year."] * 20, "exact_match"),
        ([], "exact_match"),
    ],
)  # fmt: skip
def test_a_metric_is_proposed_from_the_answers(answers: list[str], metric: str) -> None:
    assert propose(rows(answers)).metric == metric


def test_shape_and_choices_decide_first() -> None:
    plain: list[tuple[Shape, Json]] = [("text", {"text": "a b c"})]
    assert propose(plain * 5).metric == "perplexity"
    assert propose(rows(["a", "b"], choices=["a", "b"])).metric == "choice"
    assert propose([("preference", {"prompt": "q", "chosen": "yes", "rejected": "no"})]).metric == "exact_match"


def test_sentences_under_exact_match_are_warned_about() -> None:
    said = advice("exact_match", rows([SENTENCE.format(n) for n in range(9)]))
    assert said is not None and "`rouge_l`" in said and "21 words" in said
    assert advice("rouge_l", rows([SENTENCE.format(n) for n in range(9)])) is None
    assert advice("exact_match", rows(["yes", "no"])) is None
    assert advice("exact_match", []) is None
