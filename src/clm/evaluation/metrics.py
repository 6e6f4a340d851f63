"""Metrics: one example's answer against its reference, as a score in [0, 1] where 1 is best. Pure.

A task's score is the mean of its examples' scores.
"""

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, cast

from clm.core.answers import json_value, json_within, last_number
from clm.core.hashing import canonical_json
from clm.errors import InvalidInput, unknown_name

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match(answer: str, reference: str) -> float:
    """1.0 where both say the same: JSON objects and arrays by value, everything else after `normalise`."""
    wanted, got = json_value(reference), json_value(answer)
    if wanted is not None and got is not None:
        return float(canonical_json(got) == canonical_json(wanted))
    return float(normalise(answer) == normalise(reference))


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over words, as in SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250)."""
    got, wanted = _words(answer), _words(reference)
    if not got or not wanted:
        return float(got == wanted)
    shared = sum((Counter(got) & Counter(wanted)).values())
    return 2 * shared / (len(got) + len(wanted))


def inverse_perplexity(mean_log_likelihood: float) -> float:
    """1 / perplexity = exp(mean natural log-likelihood per token), in (0, 1]; NaN stays NaN and passes no gate."""
    return math.exp(min(mean_log_likelihood, 0.0)) if not math.isnan(mean_log_likelihood) else math.nan


def rouge_l(answer: str, reference: str, beta: float = 1.0) -> float:
    """F-score of the longest common subsequence of words (Lin 2004, ROUGE, equations 2 to 4).

    R = LCS / words of the reference, P = LCS / words of the answer, F = (1 + beta^2) R P / (R + beta^2 P). `beta` above
    1 weighs R more; 1 is what Lin's script takes (its alpha = 0.5).
    """
    got, wanted = _tokens(answer), _tokens(reference)
    if not got or not wanted:
        return float(got == wanted)
    common = _longest_common_subsequence(got, wanted)
    if not common:
        return 0.0
    recall, precision = common / len(wanted), common / len(got)
    return (1 + beta**2) * recall * precision / (recall + beta**2 * precision)


def chrf(answer: str, reference: str) -> float:
    """chrF2: F-score of character 1- to 6-grams, recall weighed double (Popovic 2015), by sacrebleu (Post 2018).

    For languages without spaces between words, and where an ending must not cost the whole word.
    """
    got, wanted = normalise(answer), normalise(reference)
    if got == wanted or not got or not wanted:
        return float(got == wanted)
    return min(1.0, max(0.0, _chrf().sentence_score(got, [wanted]).score / 100))


def contains(answer: str, reference: str) -> float:
    """1.0 where the reference stands in the answer as whole words, however much is said around it."""
    got, wanted = normalise(answer), normalise(reference)
    if not wanted:
        return float(not got)
    before, after = (r"(?<!\w)" if wanted[0].isalnum() else ""), (r"(?!\w)" if wanted[-1].isalnum() else "")
    return float(re.search(before + re.escape(wanted) + after, got) is not None)


def number(answer: str, reference: str) -> float:
    """1.0 where the last number of the answer is the reference's, however it is written: 1,200 is 1200.0."""
    wanted, got = last_number(reference), last_number(answer)
    if wanted is None:  # nothing to compare by value; ingest refuses such references
        return exact_match(answer, reference)
    return float(got is not None and math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-9))


def json_fields(answer: str, reference: str) -> float:
    """F1 over the fields of a JSON value: what is missing, wrong or made up costs its share."""
    wanted, got = json_within(reference), json_within(answer)
    if wanted is None:
        return exact_match(answer, reference)
    if got is None:
        return 0.0
    ours, theirs = dict(_fields(got)), dict(_fields(wanted))
    right = sum(path in ours and _same(ours[path], value) for path, value in theirs.items())
    return 2 * right / (len(ours) + len(theirs))


def field_scores(answer: str, reference: str) -> dict[str, float]:
    """Which of the reference's fields (`order.items[0].name`) the answer has right; empty where it is no JSON."""
    ours = dict(_fields(json_within(answer)))
    theirs = json_within(reference)
    return {
        path.removeprefix(".") or "value": float(path in ours and _same(ours[path], value))
        for path, value in (() if theirs is None else _fields(theirs))
    }


ANSWER_METRICS: dict[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "token_f1": token_f1,
    "rouge_l": rouge_l,
    "chrf": chrf,
    "contains": contains,
    "number": number,
    "json_fields": json_fields,
}
LIKELIHOOD_METRICS: dict[str, Callable[[float], float]] = {"perplexity": inverse_perplexity}
CHOICE = "choice"  # whether the right one of an example's choices is the likeliest, see clm.evaluation.choices
JUDGE = "judge"  # whether a model finds the answer as good as the reference, see clm.evaluation.judge


def check_metric(name: str) -> str:
    """The name itself. Raises NotFound with the known names."""
    known = [*ANSWER_METRICS, *LIKELIHOOD_METRICS, CHOICE, JUDGE]
    if name not in known:
        raise unknown_name("metric", name, known)
    return name


def normalise(text: str) -> str:
    """Compatibility form, case folded, white space collapsed, without quotes around it or a full stop at the end."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.strip("\"'` ").rstrip(".!").rstrip()


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_PUNCTUATION)
    return _ARTICLES.sub(" ", folded).split()


def _tokens(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def _longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Its length, a bit per word of `first` (Hyyro 2004): adding long integers does what a row of the table does."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    everywhere = row = (1 << len(first)) - 1
    for word in second:
        matches = row & places.get(word, 0)
        row = (row + matches | row - matches) & everywhere
    return len(first) - row.bit_count()


@cache
def _chrf() -> Any:
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise InvalidInput("The metric chrf needs sacrebleu: pip install 'clm[train]'.") from None
    return CHRF()


def _fields(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Leaves by path. An empty object or array is a leaf: it says something too."""
    if isinstance(value, dict) and value:
        for name, below in cast("dict[str, object]", value).items():
            yield from _fields(below, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for index, below in enumerate(cast("list[object]", value)):
            yield from _fields(below, f"{path}[{index}]")
    else:
        yield path, value


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, str) and isinstance(theirs, str):
        return normalise(ours) == normalise(theirs)
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return ours == theirs or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs
