"""Metrics: one example's answer against its reference, as a score in [0, 1] where 1 is best. Pure.

A task's score is the mean of its examples' scores.
"""

import json
import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import Any

from clm.core.hashing import canonical_json
from clm.errors import unknown_name

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match(answer: str, reference: str) -> float:
    """1.0 where both say the same: JSON objects and arrays by value, everything else after `normalise`."""
    wanted, got = _json_value(reference), _json_value(answer)
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


ANSWER_METRICS: dict[str, Callable[[str, str], float]] = {"exact_match": exact_match, "token_f1": token_f1}
LIKELIHOOD_METRICS: dict[str, Callable[[float], float]] = {"perplexity": inverse_perplexity}
CHOICE = "choice"  # whether the right one of an example's choices is the likeliest, see clm.evaluation.choices


def check_metric(name: str) -> str:
    """The name itself. Raises NotFound with the known names."""
    known = [*ANSWER_METRICS, *LIKELIHOOD_METRICS, CHOICE]
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


def _json_value(text: str) -> Any | None:
    """The JSON object or array that the text is, else None; NaN and Infinity are not JSON."""
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        return None
    try:
        return json.loads(stripped, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
