"""A task's score from its examples' scores."""

import math
import statistics
from collections.abc import Mapping, Sequence

from clm.core.hashing import sha256_json
from clm.evaluation.evaluator import Candidate, Suites
from clm.evaluation.metrics import JUDGE
from clm.formats.answers import AnswerRow
from clm.formats.suites import suite_hash
from clm.records import BASE, Metric, SliceKind, SliceScore, TaskScore, task_of


def task_scores(
    rows: Sequence[AnswerRow],
    suites: Suites,
    metrics: Mapping[str, Metric],
    candidate: Candidate,
    judge_pin: str | None = None,
) -> dict[str, TaskScore]:
    """Means per task that was answered, over what is not taught where there is such, and by slice; none where a judge
    owes a verdict.

    Misrouted: none of the task's experts answered, or not the base where there is none. `judge_pin` is part of a judged
    suite's version.
    """
    scores: dict[str, TaskScore] = {}
    taught = set(map(task_of, candidate.experts))
    for task, examples in suites.items():
        answered = [row for row in rows if row.task == task]
        if not answered or any(math.isnan(row.score) for row in answered):
            continue
        mine = [row for row in answered if row.kind != "recall"] or answered
        version = suite_hash([each for each in examples if each.kind != "recall"] or examples)
        if metrics[task] == JUDGE:
            version = sha256_json([version, judge_pin])
        wanted = task if task in taught else BASE
        scores[task] = TaskScore(
            task=task,
            metric=metrics[task],
            score=statistics.fmean(row.score for row in mine),
            n=len(mine),
            suite_hash=version,
            misrouted=sum(task_of(row.routed) != wanted for row in mine),
            reused=sum(row.reused for row in answered),
            slices=_slices(answered),
        )
    return scores


def _slices(rows: Sequence[AnswerRow]) -> tuple[SliceScore, ...]:
    """Taught prompts are one slice, whichever number they came in: they are drawn anew for every update."""
    groups: dict[tuple[int, SliceKind], list[AnswerRow]] = {}
    for row in rows:
        groups.setdefault((0 if row.kind == "recall" else row.slice, row.kind), []).append(row)
    return tuple(
        SliceScore(number, kind, statistics.fmean(row.score for row in some), len(some), sum(row.stale for row in some))
        for (number, kind), some in sorted(groups.items())
    )
