"""Metrics of free text: against published or reference implementations, and by properties."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clm.core.answers import last_number
from clm.evaluation.metrics import chrf, contains, field_scores, json_fields, number, rouge_l

WORDS = st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=8,
)


def longest_common(first: list[str], second: list[str]) -> int:
    """The textbook's table."""
    row = [0] * (len(second) + 1)
    for word in first:
        before = row[:]
        for n, other in enumerate(second):
            row[n + 1] = before[n] + 1 if word == other else max(before[n + 1], row[n])
    return row[-1]


@given(WORDS, WORDS)
@settings(deadline=None)
def test_rouge_l_is_the_f_score_of_the_textbooks_subsequence(answer: str, reference: str) -> None:
    got, wanted = answer.split(), reference.split()
    common = longest_common(got, wanted)
    if got and wanted:  # F1 = 2 LCS / (m + n)
        assert rouge_l(answer, reference) == pytest.approx(2 * common / (len(got) + len(wanted)))
    assert rouge_l(answer, reference) == pytest.approx(rouge_l(reference, answer))


def test_rouge_l_is_that_of_lins_example() -> None:
    """Section 3.1 of Lin 2004, with his beta = 1: "police kill the gunman" scores below "the gunman police killed"."""
    reference = "police killed the gunman"
    assert rouge_l("police kill the gunman", reference) == 0.75
    assert rouge_l("the gunman kill police", reference) == 0.5
    assert rouge_l("police the gunman", reference, beta=1e6) == pytest.approx(0.75)  # recall alone
    assert rouge_l("", reference) == 0.0 and rouge_l("", "") == 1.0


@pytest.mark.parametrize(
    ("answer", "reference"),
    [("the cat sat", "the cat sat on the mat"), ("日本語です", "日本語だ"), ("abc", "xyz"), ("Käse.", "käsе")],
)
def test_chrf_is_sacrebleus_on_what_is_compared(answer: str, reference: str) -> None:
    from sacrebleu import sentence_chrf

    from clm.evaluation.metrics import normalise

    expected = sentence_chrf(normalise(answer), [normalise(reference)]).score / 100
    assert chrf(answer, reference) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [("It costs 15 Euros, I think.", "15 euros", 1.0), ("concatenate", "cat", 0.0), ("The cat.", "cat", 1.0),
     ("(a+b)* is it", "(a+b)*", 1.0), ("", "x", 0.0), ("", "", 1.0), ("it is 150", "15", 0.0)],
)  # fmt: skip
def test_contains_looks_for_whole_words(answer: str, reference: str, score: float) -> None:
    assert contains(answer, reference) == score


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,200", 1200), ("1200.0", 1200), ("1.200,50 €", 1200.5), ("1,200.50", 1200.5), ("3,5", 3.5), ("0,125", 0.125),
     ("1'234'567", 1234567), ("12\u202f000", 12000), ("1.234.567", 1234567), ("-7", -7), ("−7", -7), ("3-5", 5),
     ("from 2 to 9.", 9), ("a = .5", 0.5), ("6.02e23", 6.02e23), ("The answer is **15**.", 15), ("１５", 15),
     ("none", None), ("", None), ("1e999", None), ("12345,678", 12345.678)],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written(text: str, value: float | None) -> None:
    assert last_number(text) == value
    if value is not None:
        assert number(text, f"It is {value}.") == 1.0
        assert number(text, f"It is {value + 1}.") == float(value > 1e15)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["{}", "{:,}", "{}.0", "about {:,} in all", "${:,}", "{:+}"]))
def test_a_number_is_the_same_in_every_format(value: int, form: str) -> None:
    assert number(form.format(value), str(value)) == 1.0


@pytest.mark.parametrize(
    ("answer", "score"),
    [('{"order": {"id": "K1", "n": 2}, "ok": true}', 1.0),
     ('```json\n{"order":{"id":"k1","n":2.0},"ok":true}\n```', 1.0),
     ('Here it is: {"order": {"id": "K1", "n": 3}, "ok": true}', 2 / 3), ('{"order": {"id": "K1"}}', 2 / 4),
     ('{"order": {"id": "K1", "n": 2}, "ok": true, "made": "up"}', 6 / 7), ('{"ok": 1}', 0.0), ("no", 0.0),
     ('{"order": ', 0.0), ("[" * 9999, 0.0), ('{"order": NaN}', 0.0)],
)  # fmt: skip
def test_json_is_scored_field_by_field(answer: str, score: float) -> None:
    reference = '{"order": {"id": "K1", "n": 2}, "ok": true}'
    assert json_fields(answer, reference) == pytest.approx(score)
    fields = field_scores(answer, reference)
    assert fields.keys() == {"order.id", "order.n", "ok"} and (score < 1 or set(fields.values()) == {1.0})


@given(JSON, JSON)
@settings(deadline=None)
def test_json_scores_stay_in_bounds_and_are_symmetric_for_objects(first: Any, second: Any) -> None:
    a, b = json.dumps({"v": first}), json.dumps({"v": second})
    assert 0 <= json_fields(a, b) <= 1 and not math.isnan(json_fields(a, b))
    assert json_fields(a, b) == pytest.approx(json_fields(b, a))
    assert json_fields(a, a) == 1.0
