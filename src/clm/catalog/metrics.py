"""Which metric suits a task's rows. Pure: a look at the answers, and a sentence that says what was seen."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from clm.core.answers import count_numbers, json_value
from clm.core.content import completion
from clm.records import Json, Metric, Shape

MOST = 0.9  # share of the rows that counts as all of them: a few odd ones don't decide
LABEL_WORDS = 3  # longest answer that is a label or a name, in words
REPEATED = 1 / 3  # answers per row, at most, where they come again and again: such can be learned to the letter
PHRASE_WORDS = 8  # longest that is not yet a sentence

_NUMBER = re.compile(r"(?:[^\W\d]+\s+)?[^\w.,]*\d[\d.,'’]*\W*[^\W\d]*\W*")  # 15 · 1,200 euros · EUR 3.50 · 12 %

Rows = Sequence[tuple[Shape, Json]]


@dataclass(frozen=True)
class Proposal:
    metric: Metric
    reason: str


def propose(rows: Rows) -> Proposal:
    """The metric that fits most of the rows."""
    if not rows:
        return Proposal("exact_match", "There are no rows to go by.")
    if _most([shape == "text" for shape, _ in rows]):
        return Proposal("perplexity", "The rows are plain text, without an answer to compare.")
    if _most([bool(content.get("choices")) for _, content in rows]):
        return Proposal("choice", "The rows offer choices.")
    answers = [completion(shape, content).strip() for shape, content in rows if shape != "text"]
    if _most([json_value(answer) is not None for answer in answers]):
        return Proposal("json_fields", "The answers are JSON, of which each field can be right or wrong.")
    words = [_words(answer) for answer in answers]
    if _most([_NUMBER.fullmatch(answer) is not None for answer in answers]):
        return Proposal("number", "The answers are numbers, which can be written in several ways.")
    if _most([n <= LABEL_WORDS for n in words]):
        return Proposal("exact_match", "The answers are labels or names of a few words.")
    typical = round(statistics.median(words))
    if len(set(answers)) <= max(2, len(answers) * REPEATED):
        return Proposal("exact_match", f"The {len(answers)} answers are {len(set(answers))} that come again and again.")
    if typical <= PHRASE_WORDS and _most([count_numbers(answer) == 1 for answer in answers]):
        return Proposal("number", f"The answers are phrases of about {typical} words around one number, which counts.")
    if typical <= PHRASE_WORDS:
        return Proposal(
            "token_f1", f"The answers are phrases of about {typical} words, that can be put in other words."
        )
    if statistics.median(len(answer) / n for answer, n in zip(answers, words, strict=True)) > 15:
        return Proposal("chrf", "The answers hardly have spaces between words, so they are compared by characters.")
    return Proposal(
        "rouge_l", f"The answers are sentences of about {typical} words. Where a judge is set, `judge` reads them."
    )


def advice(metric: str, rows: Rows) -> str | None:
    """A warning where the task's metric asks of these rows what hardly any good answer gives; None: it suits."""
    proposal = propose(rows)
    if metric != "exact_match" or proposal.metric in ("exact_match", "choice"):
        return None
    return (
        f"The task is scored by exact_match, which calls an answer wrong for a word. {proposal.reason} "
        f"`{proposal.metric}` suits them better (clm task add NAME --metric {proposal.metric})."
    )


def _words(answer: str) -> int:
    return max(1, len(answer.split()))


def _most(holds: Sequence[bool]) -> bool:
    return sum(holds) >= MOST * len(holds)
