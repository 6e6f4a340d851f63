"""Did a candidate learn anything of what it was taught? Pure.

The gate asks what was lost, and who learned nothing has lost nothing: 0 of 100 right before and after passes every test
of non-inferiority, and no number of examples would change that. So this is asked beside it, example by example:

    a refreshed task   nothing was learned where no example is answered better than before
    a new task         nor where the examples that became better are made up for by those that became worse: what an
                       untouched base answers by chance is nobody's knowledge, and losing it no price of learning

Who was right nearly everywhere before could not get better: a difference below the task's margin counts as none in
the gate, so an update that finds its task within the margin of 1.00 is not asked for a gain.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from clm.evaluation.comparison import ExampleScore
from clm.records import GateVerdict, Json

Scores = Sequence[ExampleScore]


def learned_nothing(
    task: str, candidate: Scores, champion: Scores, *, margin: float, is_new: bool, length: Json
) -> str | None:
    """The reason, or None where something was learned, nothing could be, or there is nothing to see it by.

    `length` is how the training ended, see `clm.training.length`; empty where that is not known.
    """
    known = {each.example_id: each.score for each in champion}
    pairs = [(known[each.example_id], each.score) for each in candidate if each.example_id in known]
    if not pairs:
        return None
    before, after = (fmean(side) for side in zip(*pairs, strict=True))
    gained = any(new > old for old, new in pairs)
    if before >= 1 - margin or (after > before if is_new else gained):
        return None
    kept = "none of them better than before" if not gained else "no more than the untouched base"
    said = f"Learned nothing of {task}: {before:.2f} before and {after:.2f} after on {len(pairs)} examples, {kept}"
    return f"{said}{_why(length)}"


def refused(verdict: GateVerdict, reason: str | None) -> GateVerdict:
    """The gate's verdict, but no pass and no open question where nothing was learned. A shown loss stays the reason."""
    if reason is None or verdict.verdict == "fail":
        return verdict
    return replace(verdict, verdict="fail", reason=reason, learned_nothing=True)


def _why(length: Json) -> str:
    """What the training says about it, and what to do."""
    if not length:
        return "."
    ended = f"; the training ended after {length['steps']} steps because {length['stopped']}"
    loss = length["looks"][-1][1] if length["looks"] else None
    at_loss = "" if loss is None else f", at a loss of {loss:.3f}"
    if length["still_falling"]:
        by_epochs = "Raise training.epochs, or let training.length be auto"
        longer = by_epochs if length["rule"] == "epochs" else "Raise training.most_steps or training.most_minutes"
        return f"{ended}{at_loss}, still falling. {longer}."
    if length["rule"] == "known" or (loss is not None and loss < 0.1):
        return (
            f"{ended}{at_loss}. It knows the rows that it was taught, and they don't answer what the suite asks: look "
            "whether both belong to one task."
        )
    return f"{ended}{at_loss}, no longer falling. Look whether answers follow from the prompts, or raise training.rank."
