"""The router's part of a training: features of the task's prompts, and a router over all tasks of the candidate."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clm.errors import InvalidInput
from clm.llm.base import Base
from clm.llm.discriminant import Features
from clm.llm.points import Point
from clm.llm.prompts import routing_ids
from clm.llm.router import Router, Seen, fit_router, load_features
from clm.llm.runtime import Runtime
from clm.strategies import Experts, StrategyOptions
from clm.training.examples import Example
from clm.training.seen import task_answers
from clm.training.strangers import instruction_of, strangers


def see(base: Base, examples: Sequence[Example], point: Point) -> Seen:
    """What a router that reads at `point` learns from these examples."""
    instruction = instruction_of(examples)
    beside = strangers(base, point, instruction)[0] if instruction else None
    return Seen(task_features(base, examples, point), task_answers(examples), point, beside)


def task_features(base: Base, examples: Sequence[Example], point: Point | None = None) -> Features:
    """`[n, width]`: what the router sees of these prompts. Long ones are cut on the left, as in training."""
    limit = base.model.config.max_positions - 1
    ids = [routing_ids(base.tokenizer, e.shape, e.content)[-limit:] for e in examples]
    return Runtime(base).features(ids, point)


def load_seen(files: Mapping[str, Path]) -> dict[str, Seen]:
    return {name: load_features(file) for name, file in files.items()}


def point_of(base: Base, seen: Mapping[str, Seen]) -> Point:
    """Where a router over these experts has to read: where their prompts were read; without any, as new routers do.

    Raises InvalidInput where they were read at different points.
    """
    points: dict[Point, list[str]] = {}
    for name, one in sorted(seen.items()):
        points.setdefault(one.point or base.old_reading, []).append(name)
    if len(points) > 1:
        where = "; ".join(f"{point} for {', '.join(names)}" for point, names in sorted(points.items()))
        raise InvalidInput(
            f"The router features of this model's experts were read at different places of the base ({where}), so no "
            "router can be fitted on them together. Take the task out that differs (`clm task remove TASK`), bring it "
            "back (`clm task add TASK`) and teach it again (`clm update start TASK`): its rows are still in the store."
        )
    return next(iter(points), base.reading)


def fit(
    base: Base,
    seen: Mapping[str, Seen],
    seed: int,
    strategies: Sequence[StrategyOptions] = (),
    like: Router | None = None,
) -> Router:
    """A router over experts, of which only what was seen of their prompts is needed, not their data; with the
    thresholds of `like`, or with its own.

    How many experts it mixes, and how sharply, is the option of the strategy `experts`.
    """
    features = {name: one.features for name, one in seen.items()}
    answers = {name: one.answers for name, one in seen.items()}
    point = point_of(base, seen)
    beside = [one.strangers for one in seen.values() if one.strangers is not None]
    general = [*strangers(base, point), *beside]
    router = fit_router(features, general, seed, answers=answers, point=point, like=like)
    options = next((chosen for chosen in strategies if isinstance(chosen, Experts)), Experts())
    return replace(router, experts=options.mix, sharpness=options.sharpness)
