"""How many prompts of the other tasks change hands, of prompts that neither router was fitted on.

What a router was fitted on lies nearer to its own task than what will come, so asking it about its own rows would show
too few. The rows of each expert are parted in two; both routers are fitted on each half and asked about the other one.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clm.llm.base import Base
from clm.llm.router import Router, Seen
from clm.policies import TrainingPolicy
from clm.records import task_of
from clm.training.routing import fit

FOLDS = 2


def handed_over(
    base: Base, before: Mapping[str, Seen], after: Mapping[str, Seen], taught: str, policy: TrainingPolicy
) -> dict[str, list[int]]:
    """By task other than that of the expert `taught`: prompts that get another expert, and of how many.

    `before` and `after`: what the routers of champion and candidate are fitted on. An expert that was taught is another
    one, whoever asked it before.
    """
    others = [name for name in before if task_of(name) != task_of(taught)]
    found: dict[str, list[int]] = {task_of(name): [0, 0] for name in others}
    if not others or any(len(one.features) < FOLDS for one in (*before.values(), *after.values())):
        return {}
    for fold in range(FOLDS):
        old, new = (
            fit(base, {name: _part(one, fold, inside=False) for name, one in side.items()}, policy.seed,
                policy.strategies)
            for side in (before, after)
        )  # fmt: skip
        for name in others:
            asked = _part(before[name], fold, inside=True)
            counted = found[task_of(name)]
            counted[0] += _changed(old, new, asked, taught)
            counted[1] += len(asked.features)
    return found


def _part(seen: Seen, fold: int, inside: bool) -> Seen:
    """Every other row, or the rest."""
    chosen = (np.arange(len(seen.features)) % FOLDS == fold) == inside
    answers = None if seen.answers is None else seen.answers[chosen]
    return replace(seen, features=seen.features[chosen], answers=answers)


def _changed(old: Router, new: Router, asked: Seen, taught: str) -> int:
    routes = zip(old.mix(asked.features), new.mix(asked.features), strict=True)
    return sum(a != b or any(name == taught for name, _ in b) for a, b in routes)
