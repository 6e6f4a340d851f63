"""When a training has learned enough: what is looked at on the way, and what follows from it. Pure.

What is asked is the loss on rows that are held back. Where rows can't be held back, their own loss decides: few rows
miss every one, and an answer that is taught once (a fact with one phrasing) can't be told from the others. Those are
trained until they are known. Answers in free text get better for a while after their held-back loss has turned
(Ouyang et al. 2022, arXiv:2203.02155, appendix C).
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clm.core.hashing import canonical_json
from clm.policies import TrainingPolicy
from clm.training.examples import Example

FEWEST_HELD_BACK, MOST_HELD_BACK = 10, 100  # rows
PATIENCE_LOOKS, PATIENCE_STEPS = 3, 50  # so long without a gain before a loss no longer falls
GAIN = 0.02  # a loss has fallen when it is lower than the best by this share
KNOWN = 0.01  # natural log per token: an answer of ten tokens is given with a probability of 0.9
NEARLY_KNOWN = 0.1  # where no rows are held back: those that are trained on become known while the rate falls
MOST_TOLD = 60  # looks that a record keeps


@dataclass(frozen=True)
class Look:
    step: int
    loss: float  # of the training, mean since the look before; natural log per token
    held_back: float | None  # on the rows held back; None: there are none

    @property
    def deciding(self) -> float:
        return self.loss if self.held_back is None else self.held_back


@dataclass(frozen=True)
class Ended:
    reason: str
    still_falling: bool  # a bound ended it, not what was seen


def held_back(examples: Sequence[Example], share: float, seed: int) -> list[int]:
    """Rows whose answer others teach too, about `share` of all; none where they would be too few to tell anything."""
    wanted = min(MOST_HELD_BACK, round(share * len(examples)))
    answers = [canonical_json(_answer(example)) for example in examples]
    left = Counter(answers)
    order = list(range(len(examples)))
    random.Random(f"{seed}/held back").shuffle(order)
    chosen: list[int] = []
    for row in order:
        if len(chosen) < wanted and left[answers[row]] > 1 and examples[row].shape != "text":
            left[answers[row]] -= 1
            chosen.append(row)
    return sorted(chosen) if len(chosen) >= FEWEST_HELD_BACK else []


def decide(looks: Sequence[Look], policy: TrainingPolicy, last: int, late: bool) -> Ended | None:
    """Whether to end at the last look; None: it goes on. `last`: the step at which it ends in any case."""
    look, losses = looks[-1], [each.deciding for each in looks]
    what = "the rows' own loss" if look.held_back is None else "held-back loss"
    if 2 * look.step >= policy.least_steps:  # the other half is for the fall of the rate
        if losses[-1] <= (NEARLY_KNOWN if look.held_back is None else KNOWN):
            whose = "the rows are nearly known" if look.held_back is None else "the rows held back are known"
            return Ended(whose, False)
        if look.loss <= KNOWN:  # what still falls then does so by a trickle, for the gradient has all but vanished
            return Ended("the rows are known", False)
        best = _last_gain(losses)
        if len(looks) - 1 - best >= PATIENCE_LOOKS and look.step - looks[best].step >= PATIENCE_STEPS:
            return Ended(f"{what} stopped falling", False)
    falling = is_falling(looks)
    still = f", {what} still falling" if falling else ""
    if look.step >= last:
        return Ended(f"most_steps = {policy.most_steps} were reached{still}", falling)
    if late:
        return Ended(f"most_minutes = {policy.most_minutes:g} had passed{still}", falling)
    return None


def is_falling(looks: Sequence[Look]) -> bool:
    losses = [look.deciding for look in looks]
    return len(losses) > 1 and losses[-1] > KNOWN and _last_gain(losses) == len(losses) - 1


def told(looks: Sequence[Look]) -> list[list[float | None]]:
    """For the record: short, and with the last one. `[step, loss, loss held back]` each."""
    kept = dict.fromkeys([*looks[:: math.ceil(len(looks) / MOST_TOLD)], *looks[-1:]]) if looks else ()
    return [[e.step, round(e.loss, 4), None if e.held_back is None else round(e.held_back, 4)] for e in kept]


def _last_gain(losses: Sequence[float]) -> int:
    """Where the last loss stands that was lower than all before it by the share GAIN."""
    best = 0
    for at, loss in enumerate(losses):
        if loss < losses[best] * (1 - GAIN):
            best = at
    return best


def _answer(example: Example) -> Any:
    content = example.content
    if example.shape == "messages":
        return content["messages"][-1]["content"]
    return content.get("completion", content.get("chosen", example.record_id))
