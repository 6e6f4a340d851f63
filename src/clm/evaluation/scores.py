"""A task's score from its examples' scores."""

import math
import statistics
from collections.abc import Mapping, Sequence

from clm.core.hashing import sha256_json
from clm.evaluation.answers import AnswerRow
from clm.evaluation.evaluator import Candidate, Suites
from clm.evaluation.metrics import JUDGE
from clm.evaluation.suites import suite_hash
from clm.records import BASE, Metric, TaskScore, task_of


def task_scores(
    rows: Sequence[AnswerRow],
    suites: Suites,
    metrics: Mapping[str, Metric],
    candidate: Candidate,
    judge_pin: str | None = None,
) -> dict[str, TaskScore]:
    """Means per task that was answered; none where a judge owes a verdict.

    Misrouted: none of the task's experts answered, or not the base where there is none. `judge_pin` is part of a judged
    suite's version.
    """
    scores: dict[str, TaskScore] = {}
    taught = set(map(task_of, candidate.experts))
    for task, examples in suites.items():
        mine = [row for row in rows if row.task == task]
        if not mine or any(math.isnan(row.score) for row in mine):
            continue
        version = suite_hash(examples)
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
            reused=sum(row.reused for row in mine),
        )
    return scores
