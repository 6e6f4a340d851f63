import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clm.errors import NotFound
from clm.evaluation.metrics import ANSWER_METRICS, check_metric, exact_match, inverse_perplexity, token_f1


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("returns", "returns", 1.0),
        ("  Returns.\n", "returns", 1.0),
        ("ｒｅｔｕｒｎｓ", "returns", 1.0),  # compatibility form
        ("return", "returns", 0.0),
        ("", "returns", 0.0),
        ('{"item": "lamp", "order": "K41"}', '{"order":"K41","item":"lamp"}', 1.0),
        ('{"order":"K41","item":"lamp"', '{"order":"K41","item":"lamp"}', 0.0),
        ('{"order":"K42","item":"lamp"}', '{"order":"K41","item":"lamp"}', 0.0),
        ('{"n":1}', '{"n":1.0}', 0.0),
        ('{"n":NaN}', '{"n":NaN}', 1.0),  # not JSON, but the same text
        ("[" * 5000, '{"a":1}', 0.0),
    ],
)
def test_exact_match(answer: str, reference: str, score: float) -> None:
    assert exact_match(answer, reference) == score


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("The battery lasts 14 hours.", "14 hours", 2 * 2 / (5 - 1 + 2)),  # "the" does not count
        ("14 hours", "14 hours", 1.0),
        ("hours hours", "14 hours", 0.5),
        ("red", "blue", 0.0),
        ("", "blue", 0.0),
        ("the", "a", 1.0),  # nothing is asked, nothing is said
    ],
)
def test_token_f1(answer: str, reference: str, score: float) -> None:
    assert token_f1(answer, reference) == pytest.approx(score)


def test_inverse_perplexity_is_one_over_perplexity() -> None:
    assert inverse_perplexity(math.log(1 / 8)) == pytest.approx(1 / 8)
    assert inverse_perplexity(0.0) == 1.0
    assert inverse_perplexity(-math.inf) == 0.0
    assert math.isnan(inverse_perplexity(math.nan))


@given(st.sampled_from(sorted(ANSWER_METRICS)), st.text(max_size=40), st.text(max_size=40))
@settings(deadline=None)
def test_scores_stay_in_bounds_and_a_perfect_answer_gets_one(metric: str, answer: str, reference: str) -> None:
    score = ANSWER_METRICS[metric]
    assert 0.0 <= score(answer, reference) <= 1.0
    assert score(reference, reference) == 1.0


def test_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r"chrf, contains, exact_match, .*, token_f1"):
        check_metric("accuracy")
