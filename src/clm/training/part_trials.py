"""Both ways to go on with a task, tried for a few passes and asked for rows that neither has seen.

Each candidate stands behind the router as it would serve, so that what a new part takes from the others counts.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from clm.errors import TrainingFailed
from clm.llm.base import Base
from clm.llm.decoder import Expert
from clm.llm.experts import load_expert
from clm.llm.runtime import Runtime
from clm.policies import PartsPolicy, TrainingPolicy
from clm.records import Json
from clm.training.examples import Example, tokenise
from clm.training.loop import train
from clm.training.parts import Choice, Known
from clm.training.routing import fit, point_of, see, task_features
from clm.training.seen import together

FEWEST_HELD_BACK = 5
MOST_TIMES = 4  # as many passes over the new rows alone as over all, at most
MOST_TRIED = 400  # new rows, and replayed ones, of a trial: what it costs must not grow with a delivery
LEAST_GAIN = 0.02  # mean likelihood by which a new part has to be better
SURE = 2.0  # standard errors of it
MOST_HELD_BACK = 100  # rows of each kind: more would make no decision surer that matters

Scores = NDArray[np.float64]


def try_both(
    base: Base,
    new: Sequence[Example],
    old: Sequence[Example],
    known: Known,
    training: TrainingPolicy,
    policy: PartsPolicy,
    refresh: Choice,
    name: str,
) -> Choice:
    """`refresh`, or growing a part called `name`, whichever answers held-back new and old rows better."""
    seed = training.seed
    kept, held_new = _split(new, policy.held_back, seed)
    kept = kept[:MOST_TRIED]
    _, held_old = _split(old, policy.held_back, seed)
    held, apart = [*held_new, *held_old], {row.record_id for row in held_old}
    replay = _shuffled([row for row in refresh.replay if row.record_id not in apart], seed)[:MOST_TRIED]
    point = point_of(base, known.seen)
    seen = see(base, kept, point)
    asked = task_features(base, held, point)
    start = load_expert(known.experts[refresh.start], base)
    evidence: Json = {**refresh.evidence, "held_back_new": len(held_new), "held_back_old": len(held_old)}
    tried: dict[str, tuple[Scores, Scores]] = {}
    steps = policy.trial_epochs * (len(kept) + len(replay))  # in rows: both get as much, as far as that makes sense
    for kind, part, rows in (("refresh", refresh.part, [*kept, *replay]), ("grow", name, kept)):
        mine = together(known.seen[part], seen, seed) if kind == "refresh" else seen
        try:
            expert = _trained(base, rows, training, min(MOST_TIMES * policy.trial_epochs, steps // len(rows)), start)
        except TrainingFailed as error:
            evidence[f"{kind}_failed"] = error.sentence
            continue
        routes = fit(base, {**known.seen, part: mine}, seed, training.strategies).route(asked)
        scores = _scores(base, held, routes, known, {part: expert}, training)
        tried[kind] = scores[: len(held_new)], scores[len(held_new) :]
        evidence |= {f"{kind}_new": round(float(tried[kind][0].mean()), 4),
                     f"{kind}_old": round(float(tried[kind][1].mean()), 4)}  # fmt: skip
    return decide(tried, replace(refresh, evidence=evidence), name)


def decide(tried: Mapping[str, tuple[Scores, Scores]], refresh: Choice, name: str) -> Choice:
    """Grows where that is better by `LEAST_GAIN` and by `SURE` standard errors, new and old rows counting alike: else
    it refreshes, for every part costs memory and takes prompts from the others, with each update more.

    `tried`: per candidate the scores of held-back new and of old rows. Pure.
    """
    if "grow" not in tried:
        return replace(refresh, reason="Refreshed: the trial of a new part failed.")
    grown = replace(refresh, kind="grow", part=name, replay=())
    if "refresh" not in tried:
        return replace(grown, reason="Grown: the trial of a refresh failed.")
    gains = [grew - kept for grew, kept in zip(tried["grow"], tried["refresh"], strict=True)]
    gain = float(np.mean([each.mean() for each in gains]))
    error = math.sqrt(sum(float(each.var(ddof=1)) / len(each) for each in gains)) / 2
    (new, old), (new_kept, old_kept) = ([float(each.mean()) for each in tried[kind]] for kind in ("grow", "refresh"))
    figures = (f"held-back new rows score {new:.3f} with a new part and {new_kept:.3f} refreshed, old ones {old:.3f} "
               f"and {old_kept:.3f} (gain {gain:+.3f} ± {error:.3f})")  # fmt: skip
    evidence = {**refresh.evidence, "gain": round(gain, 4), "standard_error": round(error, 4)}
    if gain > max(LEAST_GAIN, SURE * error):
        return replace(grown, reason=f"Grown: {figures}.", evidence=evidence)
    return replace(refresh, reason=f"Refreshed: {figures}.", evidence=evidence)


def _trained(base: Base, rows: Sequence[Example], training: TrainingPolicy, epochs: int, start: Expert) -> Expert:
    trial = training.model_copy(update={"length": "epochs", "epochs": epochs})
    expert = train(base, rows, trial, init_expert=start, seed=training.seed).expert
    return expert.to(base.model.device, base.model.dtype)


def _scores(
    base: Base,
    rows: Sequence[Example],
    routes: Sequence[str],
    known: Known,
    trials: Mapping[str, Expert],
    training: TrainingPolicy,
) -> Scores:
    """`[rows]`: exp of the mean log-likelihood of an answer's tokens by whom the router asks, in [0, 1].

    Near what exact match would say where an expert is sure, and not ruled by the few rows that go astray, as a loss is.
    """
    runtime = Runtime(base)
    tokens = tokenise(base.tokenizer, rows, min(training.max_tokens, base.model.config.max_positions - 1))
    scores = np.zeros(len(rows))
    for name in sorted(set(routes)):
        mine = [n for n, route in enumerate(routes) if route == name]
        if name in trials:
            runtime.experts[name] = trials[name]
        elif name in known.experts:
            runtime.experts[name] = load_expert(known.experts[name], base).to(base.model.device, base.model.dtype)
        likelihoods = runtime.log_likelihood(
            [(tokens[n].ids, tokens[n].labels) for n in mine], name if name in runtime.experts else None
        )
        scores[mine] = np.exp(likelihoods)
    return scores


def _split(rows: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """(kept, held back), by a seeded shuffle."""
    order = _shuffled(rows, seed)
    held_back = min(MOST_HELD_BACK, max(FEWEST_HELD_BACK, round(share * len(order))))
    return order[held_back:], order[:held_back]


def _shuffled(rows: Sequence[Example], seed: int) -> list[Example]:
    order = list(rows)
    random.Random(seed).shuffle(order)
    return order
