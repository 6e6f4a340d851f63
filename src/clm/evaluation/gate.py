"""The gate: may a candidate take the champion's place? Paired non-inferiority, task by task. Pure.

Both answered the same examples. d is the mean difference of their scores (candidate - champion), [L, U] its
confidence bounds, each one-sided at `confidence`, and m > 0 the tolerated loss:

    pass          L >= -m   a loss of more than m is ruled out
    fail          U <  -m   a loss of more than m is shown
    inconclusive  otherwise, and wherever there is no clean paired data

So a candidate that really loses more than m passes with probability 1 - confidence at most, and one that does not
fails with probability 1 - confidence at most. A tie is enough to pass if there are enough examples to show it. Every
task must pass, which makes the whole no easier than its hardest task: no correction for the number of tasks is
needed (intersection-union test, Berger 1982).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clm.evaluation.bounds import Bounds, paired_bounds
from clm.records import GateVerdict, TaskVerdict, VerdictName


@dataclass(frozen=True)
class ExampleScore:
    example_id: str
    score: float  # [0, 1]


Scores = Mapping[str, Sequence[ExampleScore]]  # by task


def judge(candidate: Scores, champion: Scores, margins: Mapping[str, float], confidence: float) -> GateVerdict:
    """Judges every task that any of the three names; a task new to the champion counts with the base's answers.

    Missing tasks, examples that don't pair up, scores outside [0, 1] and NaN are inconclusive, never a pass.
    """
    names = sorted({*candidate, *champion, *margins})
    if not names:
        return GateVerdict("inconclusive", "Nothing was evaluated: no task has a suite.", ())
    tasks = tuple(
        _judge_task(name, candidate.get(name, ()), champion.get(name, ()), margins.get(name), confidence)
        for name in names
    )
    verdicts = {task.verdict for task in tasks}
    verdict: VerdictName = "pass"
    if "fail" in verdicts:
        verdict = "fail"
    elif "inconclusive" in verdicts:
        verdict = "inconclusive"
    return GateVerdict(verdict, _overall_reason(verdict, tasks), tasks)


def _overall_reason(verdict: VerdictName, tasks: tuple[TaskVerdict, ...]) -> str:
    deciding = "; ".join(task.reason for task in tasks if task.verdict == verdict)
    if verdict == "fail":
        return f"Worse than allowed: {deciding}."
    if verdict == "inconclusive":
        return f"Not decided: {deciding}."
    return f"No task lost more than its margin: {deciding}."


def _judge_task(
    name: str,
    candidate: Sequence[ExampleScore],
    champion: Sequence[ExampleScore],
    margin: float | None,
    confidence: float,
) -> TaskVerdict:
    trouble = _trouble(candidate, champion, margin)
    if trouble or margin is None:
        return TaskVerdict(name, "inconclusive", f"{name}: {trouble}", 0.0, 0.0, 0.0, -1.0, margin or 0.0, 0)
    by_id = {example.example_id: example.score for example in champion}
    theirs = np.array([by_id[example.example_id] for example in candidate])
    ours = np.array([example.score for example in candidate])
    bounds = paired_bounds(ours, theirs, confidence)
    verdict = _verdict(bounds, margin)
    n = len(ours)
    more = examples_missing(bounds, margin, n) if verdict == "inconclusive" else None
    reason = (
        f"{name}: {ours.mean():.2f} against {theirs.mean():.2f} on {n} examples, difference {bounds.difference:+.2f} "
        f"({confidence * 100:g} % bound {_told_bound(bounds, verdict):+.2f}), margin {margin:g}"
    )
    if more is not None:
        reason += f"; about {more} more examples would decide"
    return TaskVerdict(name, verdict, reason, float(ours.mean()), float(theirs.mean()), bounds.difference, bounds.lower,
                       margin, n, more)  # fmt: skip


def _verdict(bounds: Bounds, margin: float) -> VerdictName:
    if bounds.lower >= -margin:
        return "pass"
    return "fail" if bounds.upper < -margin else "inconclusive"


def _told_bound(bounds: Bounds, verdict: VerdictName) -> float:
    """The bound that decides: a fail is shown by the upper one, everything else hangs on the lower one."""
    return bounds.upper if verdict == "fail" else bounds.lower


def _trouble(candidate: Sequence[ExampleScore], champion: Sequence[ExampleScore], margin: float | None) -> str | None:
    """Why these scores can't be compared; None if they can."""
    if margin is None or not 0 < margin < 1:
        return f"needs a margin between 0 and 1, got {margin}"
    if not candidate or not champion:
        return f"no scores of the {'champion' if candidate else 'candidate'}"
    ours = {example.example_id for example in candidate}
    theirs = {example.example_id for example in champion}
    if len(ours) < len(candidate) or len(theirs) < len(champion):
        return "an example was scored twice"
    if ours != theirs:
        return f"{len(ours ^ theirs)} examples were scored for only one of champion and candidate"
    if not all(0 <= example.score <= 1 for example in (*candidate, *champion)):  # NaN fails this too
        return "a score is not a number between 0 and 1"
    return None


def examples_missing(bounds: Bounds, margin: float, n: int) -> int | None:
    """About how many more examples would decide, if what was seen goes on: half-widths shrink at least as sqrt(n).

    None where it would take more than 100 times as many: the difference lies too close to the margin.
    """
    distance = bounds.difference + margin  # above 0: towards a pass
    width = bounds.difference - bounds.lower if distance > 0 else bounds.upper - bounds.difference
    if abs(distance) * 10 <= width:
        return None
    return max(1, math.ceil(n * (width / abs(distance)) ** 2) - n)
