"""How often does the gate pass what lost, and what did not?

*Size* is how often a candidate passes that truly loses the margin, at its worst: over the share of examples that it
wins for right/wrong scores (summed up exactly), over kinds of loss for graded scores, likelihoods and the whole gate
(drawn). *No change* is how often several tasks pass together whose experts were taught anew and whose answers turn
round near ties, or half of them outright, either way alike; *unchanged* whether a task passes whose prompts all reach
the expert that they reached before.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clm.bench.options import GateOptions
from clm.bench.progress import Progress
from clm.evaluation import betting, exact, likelihood
from clm.evaluation.bounds import Array
from clm.evaluation.comparison import Comparison, ExampleScore, compare
from clm.evaluation.ruling_out import ruled_out
from clm.evaluation.simulation import Drawn, draw_updates
from clm.records import BASE

_MORE = 4  # times as many draws for what is bounded theoretically, or raised to a power
CLOSELY = 500  # shares of won examples that the exact size is looked at for, five times as many as the test looks at
LOSSES: dict[str, Callable[[float], dict[str, float]]] = {  # kinds of losing so many points
    "outright": lambda m: {"outright": m},
    "drifting": lambda m: {"drifting": m},
    "mostly outright": lambda m: {"outright": 0.8 * m, "drifting": 0.2 * m},
    "half and half": lambda m: {"outright": 0.5 * m, "drifting": 0.5 * m},
    "outright, with abrupt churn": lambda m: {"outright": m, "abrupt": 0.5},
}


def run(options: GateOptions, progress: Progress) -> dict[str, Any]:
    progress.begin()
    error = 1 - options.confidence
    random = np.random.default_rng(options.seed)
    parts: dict[str, Callable[[], Any]] = {
        "binary": lambda: _binary(options, error),
        "graded": lambda: _graded(options, error, random),
        "likelihood": lambda: _likelihood(options, error, random),
        "whole": lambda: _whole(options, error, random),
        "no_change": lambda: _no_change(options, error, random, {}),
        "no_change_half_abrupt": lambda: _no_change(options, error, random, {"abrupt": 0.5}),
        "scores_alone": lambda: _scores_alone(options, error),
        "unchanged": lambda: _unchanged(options, error),
    }
    measured: dict[str, Any] = {}
    for number, (name, measure) in enumerate(parts.items()):
        progress.show(number / len(parts), f"{name.replace('_', ' ')}")
        measured[name] = measure()
    return measured


def _binary(options: GateOptions, error: float) -> dict[str, Any]:
    shares = np.linspace(0, np.sqrt((1 - options.margin) / 2), CLOSELY) ** 2
    sizes: dict[int, float] = {}
    for n in range(options.least, options.most + 1, options.step):
        limits = np.array(exact.passing_limits(n, options.margin, error))
        sizes[n] = float(exact.probability_within(limits, n, shares, shares + options.margin).max())
    worst = max(sizes, key=sizes.__getitem__)
    return {"worst_size": sizes[worst], "at": worst, "suites": len(sizes)}


def _graded(options: GateOptions, error: float, random: np.random.Generator) -> dict[str, Any]:
    def hits(n: int, share: float) -> Array:
        return (random.random(n) < share).astype(np.float64)

    m, draws = options.margin, _MORE * options.draws
    kinds: dict[str, Callable[[int], Array]] = {
        "noise": lambda n: (random.normal(0, 0.1, n) * (random.random(n) < 0.3) - m).clip(-1, 1),
        "whole points": lambda n: -hits(n, m),
        "halves": lambda n: (hits(n, 0.02) - hits(n, 0.02 + 2 * m)) / 2,
        "rare gains": lambda n: hits(n, 0.02) - hits(n, 0.02 + m),
    }
    sizes = {
        f"{kind}, {n}": float(np.mean([betting.loss_ruled_out_p(draw(n), m) <= error for _ in range(draws)]))
        for n in options.sizes
        for kind, draw in kinds.items()
    }
    return _worst(sizes)


def _likelihood(options: GateOptions, error: float, random: np.random.Generator) -> dict[str, Any]:
    """The likelihoods alone, with all of the error rate."""

    def size(n: int, lost: dict[str, float]) -> float:
        drawn = draw_updates(random, options.draws, n, churn=options.churn, **lost)
        return float(np.mean([_likely(drawn, i, n, options.margin, error) for i in range(options.draws)]))

    return _worst(
        {f"{kind}, {n}": size(n, lost(options.margin)) for n in options.sizes for kind, lost in LOSSES.items()}
    )


def _likely(drawn: Drawn, i: int, n: int, margin: float, error: float) -> bool:
    odds = likelihood.log_odds(drawn.our_likelihoods[i]), likelihood.log_odds(drawn.their_likelihoods[i])
    seen = likelihood.moved((drawn.ours[i], drawn.theirs[i]), odds, np.ones(n, bool))
    return likelihood.loss_ruled_out(seen, n, margin, error)


def _whole(options: GateOptions, error: float, random: np.random.Generator) -> dict[str, Any]:
    """All of the gate: scores, likelihoods and routes, with the error rate split among them."""
    return _worst({
        f"{kind}, {n}": _passed(options, n, error, random, lost(options.margin))
        for n in options.sizes
        for kind, lost in LOSSES.items()
    })  # fmt: skip


def _no_change(
    options: GateOptions, error: float, random: np.random.Generator, churn: dict[str, float]
) -> dict[str, float]:
    """By tasks x examples; tasks are independent of each other."""
    more = replace(options, draws=_MORE * options.draws)
    one = {n: _passed(more, n, error, random, churn) for n in options.sizes}
    return {f"{tasks}x{n}": one[n] ** tasks for tasks in options.tasks for n in options.sizes}


def _scores_alone(options: GateOptions, error: float) -> dict[str, float]:
    """The same without likelihoods: the exact test, exactly."""
    half = options.churn / 2
    one = {n: exact.pass_probability(n, options.margin, error, half, half) for n in options.sizes}
    return {f"{tasks}x{n}": one[n] ** tasks for tasks in options.tasks for n in options.sizes}


def _unchanged(options: GateOptions, error: float) -> dict[str, float]:
    """1.0 where a task passes whose expert and routes are as they were, with so many examples."""
    passes: dict[str, float] = {}
    for n in sorted({options.least, *options.sizes}):
        same = [ExampleScore(str(number), float(number % 5 > 0), answered_by=BASE) for number in range(n)]
        passes[str(n)] = float(ruled_out(compare(same, same, options.margin), error).by is not None)
    return passes


def _passed(options: GateOptions, n: int, error: float, random: np.random.Generator, kind: dict[str, float]) -> float:
    drawn = draw_updates(random, options.draws, n, churn=options.churn, **kind)
    names = [str(number) for number in range(n)]
    pairs = (_pair(drawn, i, names, options.margin) for i in range(options.draws))
    return float(np.mean([ruled_out(pair, error).by is not None for pair in pairs]))


def _pair(drawn: Drawn, i: int, names: Sequence[str], margin: float) -> Comparison:
    """Other experts answered all of them."""
    ours = zip(names, drawn.ours[i].tolist(), drawn.our_likelihoods[i].tolist(), strict=True)
    theirs = zip(names, drawn.theirs[i].tolist(), drawn.their_likelihoods[i].tolist(), strict=True)
    return compare([ExampleScore(*one, "new") for one in ours], [ExampleScore(*one, "old") for one in theirs], margin)


def _worst(sizes: dict[str, float]) -> dict[str, Any]:
    worst = max(sizes, key=sizes.__getitem__)
    return {"worst_size": sizes[worst], "at": worst, "sizes": sizes}
