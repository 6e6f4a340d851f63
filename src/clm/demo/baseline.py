"""`python -m clm.demo.baseline FOLDER`: what CLM is compared with, plain sequential fine-tuning.

One adapter goes through the tasks in order, with the same base, rows, budget and training loop as CLM's experts. After
every task it answers the held-out examples of all tasks that it has seen.

Reads a `BaselineJob` from `job.json` and writes a `BaselineResult` to `result.json`; on the way `progress.jsonl`;
`error.json` with exit code 1 where it can't be done.
"""

import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clm.core.hashing import sha256_folder
from clm.demo.baseline_job import BaselineJob, BaselineResult, BaselineTask
from clm.evaluation.metrics import ANSWER_METRICS
from clm.jobs.files import run_in_folder, run_once
from clm.jobs.progress import tell
from clm.llm.base import Base, load_base_of
from clm.llm.experts import save_expert
from clm.llm.prompts import prompt_ids
from clm.llm.runtime import GenerationRequest, Runtime
from clm.policies import TrainingPolicy
from clm.training.examples import Example
from clm.training.loop import train

ROOM = 8  # tokens that an answer may be longer than the longest reference, as in the evaluation of CLM's updates

Say = Callable[[str], None]
Matrix = list[list[float | None]]


@dataclass(frozen=True)
class TaskData:
    name: str
    train: list[Example]
    held_out: list[dict[str, str]]  # {"prompt", "completion"}
    metric: str


def run(folder: Path) -> BaselineResult:
    """Does the job in `folder` and returns its result."""
    return run_once(folder, BaselineJob, BaselineResult, _learn)


def _learn(job: BaselineJob, folder: Path) -> BaselineResult:
    def say(message: str) -> None:
        tell(folder, "baseline", {"message": message})

    base = load_base_of(job)
    tasks = [_read(task) for task in job.tasks]
    return summarise(
        learn_in_sequence(base, tasks, job.policy, job.max_new_tokens, job.work / "adapters", job.first_expert, say)
    )


def learn_in_sequence(
    base: Base,
    tasks: list[TaskData],
    policy: TrainingPolicy,
    max_new_tokens: int,
    adapters: Path,
    first: Path | None,
    say: Say,
) -> Matrix:
    """Trains one adapter on one task after the other and scores it on all seen tasks each time."""
    runtime = Runtime(base)
    adapter: Path | None = None
    matrix: Matrix = []
    for seen, task in enumerate(tasks, start=1):
        if seen == 1 and first is not None:
            adapter = first
        else:
            result = train(base, task.train, policy, init_expert=adapter)
            adapter = save_expert(result.expert, base.hash, adapters)[1]
            say(f"{task.name} trained in {result.seconds:.0f} s")
        digest = sha256_folder(adapter)
        runtime.load_expert(digest, adapter)
        scores = [score(runtime, digest, known, max_new_tokens) for known in tasks[:seen]]
        say(f"after {task.name}: " + ", ".join(f"{t.name} {s:.2f}" for t, s in zip(tasks, scores, strict=False)))
        matrix.append([*scores, *[None] * (len(tasks) - seen)])
        runtime.unload_expert(digest)
    return matrix


def score(runtime: Runtime, adapter_hash: str, task: TaskData, max_new_tokens: int) -> float:
    """Mean score of greedy answers to the held-out examples."""
    tokenizer = runtime.base.tokenizer
    longest = max(len(tokenizer.encode(row["completion"])) for row in task.held_out)
    requests = [
        GenerationRequest(
            prompt_ids=prompt_ids(tokenizer, "completion", dict(row)),
            expert_hash=adapter_hash,
            max_new_tokens=min(max_new_tokens, longest + ROOM),
        )
        for row in task.held_out
    ]
    answers = runtime.generate(requests)
    metric = ANSWER_METRICS[task.metric]
    return statistics.fmean(metric(a.text, row["completion"]) for a, row in zip(answers, task.held_out, strict=True))


def summarise(matrix: Matrix) -> BaselineResult:
    """Average performance and backward transfer (Lopez-Paz & Ranzato 2017) of a lower triangular matrix."""
    last = [value for value in matrix[-1] if value is not None]
    moved = [last[task] - (row[task] or 0.0) for task, row in enumerate(matrix[:-1])]
    return BaselineResult(
        matrix=tuple(map(tuple, matrix)),
        average_performance=statistics.fmean(last),
        backward_transfer=statistics.fmean(moved) if moved else None,
    )


def _read(task: BaselineTask) -> TaskData:
    def rows(file: Path) -> list[dict[str, str]]:
        lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
        return [{"prompt": row["prompt"], "completion": row["completion"]} for row in lines]

    train_rows = [Example(f"row {n}", "completion", dict(row)) for n, row in enumerate(rows(task.train), start=1)]
    return TaskData(task.name, train_rows, rows(task.held_out), task.metric)


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
