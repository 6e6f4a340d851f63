"""Tells news from labels that got mixed up. Pure.

A price that changes and a label that is renamed, merged or swapped follow a rule: whatever had this answer now has
that one, or the answer is one that there was not before. Labels that were mixed up follow no rule among the labels
that there are, or most of a closed set of labels is exchanged among itself.
See docs/decisions on facts for what was weighed.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

RULE = 0.8  # share of an answer's rows that have to change alike for it to be a rule
CLOSED = 5.0  # rows per answer from which on answers are taken for a closed set of labels


@dataclass(frozen=True)
class Change:
    """A row whose prompt is known: its answer before, and the one that it comes with (maybe the same)."""

    old: str
    new: str


def relabelled(changes: Sequence[Change], answers: Collection[str], rows: int, share: float, fewest: int) -> str | None:
    """Why a delivery of so many rows looks like mixed-up labels; None where it looks like news, or changes little.

    `answers` are those that the task has.
    """
    contradicting = sum(change.old != change.new for change in changes)
    if contradicting < fewest or contradicting <= share * rows:
        return None
    reason = f"{contradicting} of {rows} rows contradict what holds"
    before = {change.old for change in changes}
    there = before | set(answers)
    without_rule = _without_rule(changes, there)
    if without_rule >= fewest and without_rule > share * rows:
        return f"{reason}, and {without_rule} of them follow no rule such as a renamed answer"
    exchanged = {c.old for c in changes if c.old != c.new and c.new in there}
    if len(before) > 1 and len(changes) / len(before) >= CLOSED and len(exchanged) > len(before) / 2:
        return f"{reason}, and {len(exchanged)} of {len(before)} answers are exchanged among each other"
    return None


def _without_rule(changes: Sequence[Change], there: set[str]) -> int:
    """Rows that come with another of the answers that there are, though their old answer has no rule to become it.

    An answer that comes once shows no rule.
    """
    becomes: dict[str, Counter[str]] = {}
    for change in changes:
        becomes.setdefault(change.old, Counter())[change.new] += 1
    count = 0
    for old, news in becomes.items():
        most, times = news.most_common(1)[0]
        rule = most != old and times > 1 and times >= RULE * news.total()
        count += 0 if rule else sum(n for new, n in news.items() if new != old and new in there)
    return count
