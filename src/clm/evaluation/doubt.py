"""Are an update's rows right? Their held-out examples tell, once the candidate has learned from the others. Pure.

Wrong answers, at random or by half, can be learned by heart but not worked out: the candidate fails on what was held
out of the same delivery, although it knows those answers and goes on giving them rightly elsewhere. The loss on what
is old stays small, for a few rows among many replayed ones hardly move a model, so no test of what was *lost* sees it.
A change that follows a rule is learned like everything else, and answers that are new say nothing, so neither counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb

from clm.records import GateVerdict

FEWEST = 5  # new examples with answers that the task knew
GAP = 0.25  # by which their share of right answers is lower
SURE = 0.01  # chance of such a difference where there is none (Fisher's exact test, one-sided)


@dataclass(frozen=True)
class Answered:
    """A held-out example and what it scored."""

    reference: str
    score: float
    is_new: bool  # of this update's slice


def doubt(task: str, examples: Sequence[Answered]) -> str | None:
    """Why the rows that an update brought look wrong; None: they don't, or too few can tell."""
    known = {one.reference for one in examples if not one.is_new}
    old = [one.score >= 0.5 for one in examples if not one.is_new]
    new = [one.score >= 0.5 for one in examples if one.is_new and one.reference in known]
    if len(new) < FEWEST or not old:
        return None
    share, before = sum(new) / len(new), sum(old) / len(old)
    if share > before - GAP or _as_few_by_chance(sum(new), len(new), sum(old), len(old)) > SURE:
        return None
    return (
        f"The new rows of {task} look mislabelled: it learned from them, and answers {share:.2f} of their {len(new)} "
        f"held-out examples rightly, although it knows these answers and is right on {before:.2f} of the {len(old)} "
        "older examples. They are held until somebody releases or discards them (clm data held)"
    )


def doubted(verdict: GateVerdict, reason: str | None) -> GateVerdict:
    """No pass and no open question where the rows look wrong. A shown loss stays in the reason."""
    if reason is None:
        return verdict
    shown = f" {verdict.reason}" if verdict.verdict == "fail" else ""
    return replace(verdict, verdict="fail", reason=f"{reason}.{shown}", doubted=True)


def _as_few_by_chance(right: int, of: int, others_right: int, others: int) -> float:
    """Probability that of all right answers at most `right` fall to `of` examples (hypergeometric)."""
    total, whole = right + others_right, of + others
    ways = sum(comb(of, k) * comb(others, total - k) for k in range(max(0, total - others), right + 1))
    return ways / comb(whole, total)
