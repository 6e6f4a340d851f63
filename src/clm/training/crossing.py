"""How many prompts of the other tasks change hands, of prompts that neither router was fitted on.

What a router was fitted on lies nearer to its own task than what will come, so asking it about its own rows would show
too few. The rows of each expert are parted; both routers are fitted without each part and asked about it.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clm.llm.base import Base
from clm.llm.router import Router, Seen
from clm.policies import TrainingPolicy
from clm.records import task_of
from clm.training.routing import fit

FOLDS = 5


def handed_over(
    base: Base,
    before: Mapping[str, Seen],
    after: Mapping[str, Seen],
    taught: str,
    policy: TrainingPolicy,
    candidate: Router,
) -> dict[str, list[int]]:
    """By task other than that of the expert `taught`: prompts that another expert takes, and of how many.

    `before` and `after`: what the routers of champion and `candidate` are fitted on. An expert that was taught is
    another one, whoever asked it before. A prompt that comes to the very expert that learned it is not counted: that
    one answers it right.
    """
    others = [name for name in before if task_of(name) != task_of(taught)]
    counts: dict[str, list[int]] = {task_of(name): [0, 0] for name in others}
    if not others or any(len(one.features) < FOLDS for one in (*before.values(), *after.values())):
        return {}
    whole = (fit(base, before, policy.seed, policy.strategies), candidate)
    for fold in range(FOLDS):
        old, new = (
            fit(base, {name: _part(one, fold, inside=False) for name, one in side.items()}, policy.seed,
                policy.strategies, router)
            for side, router in zip((before, after), whole, strict=True)
        )  # fmt: skip
        asked = [_part(before[name], fold, inside=True).features for name in others]
        owners = [name for name, rows in zip(others, asked, strict=True) for _ in rows]
        routes = (router.mix(np.concatenate(asked)) for router in (old, new))
        for own, a, b in zip(owners, *routes, strict=True):
            counted = counts[task_of(own)]
            counted[0] += (a != b and b != [(own, 1.0)]) or any(name == taught for name, _ in b)
            counted[1] += 1
    return counts


def _part(seen: Seen, fold: int, inside: bool) -> Seen:
    """The rows of a part, or the rest."""
    chosen = (np.arange(len(seen.features)) % FOLDS == fold) == inside
    answers = None if seen.answers is None else seen.answers[chosen]
    return replace(seen, features=seen.features[chosen], answers=answers)
