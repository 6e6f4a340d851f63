"""A task's suite by its slices: nothing old may be lost, and what is new has to be learned. Pure.

*Legacy* are the slices that the champion's expert was examined on already, *new* those above; *recall* are taught
prompts. A part fails where a loss of more than the margin is shown on it; one with few examples can't show that, and
does not keep the others from passing. All legacy slices together have to pass by the gate's test, as soon as they are
so many that a candidate without any loss could (59 at five points and 95 %); below that the whole suite has to.

The new slices ask for a gain: a higher score, or an equal one with likelier right answers. Its size is not tested: a
handful of new examples could hardly show it, and what is not learned costs an update, not what the model knew. Where
the champion is within the margin of full marks on them there is nothing to gain, and none is asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clm.evaluation.comparison import Comparison, ExampleScore, compare
from clm.evaluation.significance import holm
from clm.records import SliceVerdict

RECALL = "recall"


@dataclass(frozen=True)
class Part:
    """Some of a task's examples, with what the champion said to them."""

    name: str
    pair: Comparison
    stale: int


def parts_of(
    ours: Sequence[ExampleScore], theirs: Sequence[ExampleScore], margin: float, legacy: int | None
) -> list[Part]:
    """Of a task whose scores are without trouble and whole. `legacy`: its newest slice that is not new; None: all."""
    parts: list[Part | None] = []

    def add(name: str, wanted: Callable[[ExampleScore], bool]) -> None:
        parts.append(_part(name, ours, theirs, margin, wanted))

    def is_old(example: ExampleScore) -> bool:
        return legacy is None or example.slice <= legacy

    add("legacy", is_old)
    add("new", lambda example: not is_old(example))
    add(RECALL, lambda example: example.kind == RECALL)
    numbers = sorted({example.slice for example in ours if is_old(example) and example.kind != RECALL})
    for number in numbers if len(numbers) > 1 else ():
        add(f"slice {number}", lambda e, number=number: e.slice == number and e.kind != RECALL)
    return [part for part in parts if part is not None]


def slice_verdicts(parts: Sequence[Part], shown_at: float, together: Sequence[float]) -> list[SliceVerdict]:
    """`together`: the parts' p-values of a shown loss, corrected over all parts of all tasks."""
    return [
        SliceVerdict(
            name=part.name,
            verdict="fail"
            if p <= shown_at
            else "pass"
            if part.pair.difference >= -part.pair.margin
            else "inconclusive",
            candidate=float(part.pair.ours.mean()),
            champion=float(part.pair.theirs.mean()),
            difference=part.pair.difference,
            n=part.pair.n,
            stale=part.stale,
        )
        for part, p in zip(parts, together, strict=True)
    ]


def shown_losses(parts: Sequence[Part]) -> list[float]:
    """p-values of "loses no more than the margin", corrected (Holm)."""
    return holm([part.pair.claim_p(early_stop=False) for part in parts])


def missing_gain(parts: Sequence[Part]) -> str | None:
    """Why what is new was not learned; None where it was, or where there is nothing to learn."""
    new = next((part.pair for part in parts if part.name == "new"), None)
    if new is None or new.difference > 0 or float(new.theirs.mean()) >= 1 - new.margin:
        return None
    if new.difference == 0 and new.odds is not None and float(np.mean(new.odds[0] - new.odds[1])) > 0:
        return None
    return f"nothing is gained on its {new.n} new examples ({new.ours.mean():.2f} against {new.theirs.mean():.2f})"


def _part(
    name: str,
    ours: Sequence[ExampleScore],
    theirs: Sequence[ExampleScore],
    margin: float,
    wanted: Callable[[ExampleScore], bool],
) -> Part | None:
    mine = [example for example in ours if wanted(example)]
    if not mine:
        return None
    names = {example.example_id for example in mine}
    pair = compare(mine, [example for example in theirs if example.example_id in names], margin)
    return Part(name, pair, sum(example.stale for example in mine))
