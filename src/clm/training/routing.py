"""The router's part of a training: features of the task's prompts, and a router over all tasks of the candidate."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from clm.llm.base import Base
from clm.llm.discriminant import Features
from clm.llm.general_prompts import GENERAL_PROMPTS
from clm.llm.prompts import chat_ids, completion_text, routing_ids
from clm.llm.router import Answers, Router, answer_numbers, fit_router, load_features
from clm.llm.runtime import Runtime
from clm.strategies import Experts, StrategyOptions
from clm.training.examples import Example


def task_features(base: Base, examples: Sequence[Example]) -> Features:
    """`[n, 2 * hidden]`: what the router sees of these prompts. Long ones are cut on the left, as in training."""
    limit = base.model.config.max_positions - 1
    return Runtime(base).features([routing_ids(base.tokenizer, e.shape, e.content)[-limit:] for e in examples])


def task_answers(examples: Sequence[Example]) -> Answers:
    """`[n]`: which of these examples have the same answer; plain text has none."""
    return answer_numbers(["" if e.shape == "text" else completion_text(e.shape, e.content).strip() for e in examples])


@dataclass(frozen=True)
class Seen:
    """What the router knows of a task's prompts. `answers` is None for features that were kept without."""

    features: Features  # [n, 2 * hidden]
    answers: Answers | None  # [n]

    @classmethod
    def load(cls, file: Path) -> "Seen":
        return cls(*load_features(file))


def together(old: Seen, new: Seen, most: int, seed: int) -> Seen:
    """Both, in even parts where that is more than `most` rows."""
    room = max(most - len(new.features), most // 2)
    kept = sorted(random.Random(seed).sample(range(len(old.features)), min(room, len(old.features))))
    features = np.concatenate([old.features[kept], new.features[: most - len(kept)]])
    if old.answers is None or new.answers is None:
        return Seen(features, None)
    return Seen(features, np.concatenate([old.answers[kept], new.answers[: most - len(kept)]]))


def general_features(base: Base) -> Features:
    """The same of the bundled general requests."""
    messages = [[{"role": "user", "content": prompt}] for prompt in GENERAL_PROMPTS]
    return Runtime(base).features([chat_ids(base.tokenizer, message) for message in messages])


def fit(
    base: Base,
    new: Mapping[str, Seen],
    others: Mapping[str, Path],
    seed: int,
    strategies: Sequence[StrategyOptions] = (),
) -> Router:
    """A router over new and kept tasks. Of kept ones only the stored features are needed, not their data.

    How many experts it mixes, and how sharply, is the option of the strategy `experts`.
    """
    seen = {**{task: Seen.load(path) for task, path in others.items()}, **new}
    features = {task: one.features for task, one in seen.items()}
    answers = {task: one.answers for task, one in seen.items()}
    router = fit_router(features, general_features(base), seed, answers=answers)
    options = next((chosen for chosen in strategies if isinstance(chosen, Experts)), Experts())
    return replace(router, experts=options.mix, sharpness=options.sharpness)
