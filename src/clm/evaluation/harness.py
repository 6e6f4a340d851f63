"""Tasks of EleutherAI's LM Evaluation Harness as suites (the extra `harness`).

A task's documents become held-out rows with the prompts that the harness would ask (few-shot examples included), put
as a user's message. CLM then scores them itself: multiple choice by the likeliest choice (the harness's `acc`), free
answers by exact match, given continuations and whole texts by perplexity. Filters and the harness's own metrics are
left out, so scores compare releases with each other, not with a leaderboard.
"""

import importlib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from clm.errors import InvalidInput, NotFound, Unavailable
from clm.records import Json, Metric

METRICS: dict[str, Metric] = {
    "multiple_choice": "choice", "generate_until": "exact_match", "loglikelihood": "perplexity",
    "loglikelihood_rolling": "perplexity",
}  # fmt: skip


def harness_suite(
    name: str, include: Path | None = None, limit: int | None = None, fewshot: int | None = None
) -> tuple[Metric, list[Json]]:
    """The metric and the rows of a task's test (or validation) documents.

    `include`: a folder with YAML files of own tasks. Raises Unavailable where the extra is not installed or a data set
    can't be fetched, NotFound for an unknown task, InvalidInput for a group of tasks or a kind that can't be a suite.
    """
    task = _load(name, include)
    if fewshot is not None:
        task.set_config(key="num_fewshot", value=fewshot)
    task.set_fewshot_seed(1234)  # the harness's own default
    task.build_all_requests(limit=limit)
    kind = task.OUTPUT_TYPE
    instances = sorted(task.instances, key=lambda instance: (instance.doc_id, instance.idx))
    rows = [_row(kind, name, task, list(group)) for _, group in groupby(instances, key=lambda each: each.doc_id)]
    if not rows:
        raise InvalidInput(f"The harness's task {name!r} has no documents.")
    return METRICS[kind], rows


def _load(name: str, include: Path | None) -> Any:
    try:
        tasks: Any = importlib.import_module("lm_eval.tasks")
    except ImportError:
        raise Unavailable("The LM Evaluation Harness is not installed here: pip install 'clm[harness]'.") from None
    manager = tasks.TaskManager(include_path=str(include) if include else None)
    if name not in manager.all_tasks:
        where = f" or in {include}" if include else "; --include names a folder with tasks of your own"
        raise NotFound(f"There is no task {name!r} in the harness{where}.")
    if name not in manager.all_subtasks:
        raise InvalidInput(f"{name!r} is a group of the harness's tasks. Name one of them: a suite is one task's.")
    try:
        return manager.load([name])["tasks"][name]
    except (OSError, ConnectionError) as error:  # what `datasets` raises for a data set that it can't find or fetch
        raise Unavailable(f"The data of the harness's task {name!r} could not be read: {error}") from error


def _row(kind: str, name: str, task: Any, asked: list[Any]) -> Json:
    """One document's row; of multiple choice, `asked` is one request per choice."""
    context, *given = asked[0].args
    if kind == "loglikelihood_rolling":
        return {"text": context}
    prompt = str(context).strip()
    if kind == "loglikelihood":
        return {"prompt": prompt, "completion": str(given[0]).strip()}
    if kind == "generate_until":
        return {"prompt": prompt, "completion": str(_first(task.doc_to_target(asked[0].doc))).strip()}
    choices = [str(each.args[1]).strip() for each in asked if each.args[0] == context]
    right = task.doc_to_target(asked[0].doc)
    if len(choices) < len(asked) or not isinstance(right, int):
        raise InvalidInput(
            f"The harness's task {name!r} asks each choice in another context, or has several right ones: it can't be "
            "a suite."
        )
    return {"prompt": prompt, "completion": choices[right], "choices": choices}


def _first(target: object) -> object:
    """Where several answers count as right, the first."""
    return next(iter(target)) if isinstance(target, Iterable) and not isinstance(target, str) else target
