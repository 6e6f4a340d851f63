"""The router's part of a training: features of the task's prompts, and a router over all tasks of the candidate."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from clm.llm.base import Base
from clm.llm.general_prompts import GENERAL_PROMPTS
from clm.llm.prompts import chat_ids, routing_ids
from clm.llm.router import Features, Router, fit_router, load_features
from clm.llm.runtime import Runtime
from clm.strategies import Experts, StrategyOptions
from clm.training.examples import Example


def task_features(base: Base, examples: Sequence[Example]) -> Features:
    """`[n, 2 * hidden]`: what the router sees of these prompts. Long ones are cut on the left, as in training."""
    limit = base.model.config.max_positions - 1
    return Runtime(base).features([routing_ids(base.tokenizer, e.shape, e.content)[-limit:] for e in examples])


def together(old: Features, new: Features, most: int, seed: int) -> Features:
    """Both, in even parts where that is more than `most` rows."""
    room = max(most - len(new), most // 2)
    kept = sorted(random.Random(seed).sample(range(len(old)), min(room, len(old))))
    return np.concatenate([old[kept], new[: most - len(kept)]])


def general_features(base: Base) -> Features:
    """The same of the bundled general requests."""
    messages = [[{"role": "user", "content": prompt}] for prompt in GENERAL_PROMPTS]
    return Runtime(base).features([chat_ids(base.tokenizer, message) for message in messages])


def fit(
    base: Base,
    new: Mapping[str, Features],
    others: Mapping[str, Path],
    seed: int,
    strategies: Sequence[StrategyOptions] = (),
) -> Router:
    """A router over new and kept tasks. Of kept ones only the stored features are needed, not their data.

    How many experts it mixes, and how sharply, is the option of the strategy `experts`.
    """
    features = {**{task: load_features(path) for task, path in others.items()}, **new}
    router = fit_router(features, general_features(base), seed)
    options = next((chosen for chosen in strategies if isinstance(chosen, Experts)), Experts())
    return replace(router, experts=options.mix, sharpness=options.sharpness)
