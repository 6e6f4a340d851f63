"""What the gate would have said at each step of a sequence: the model before the step is the champion.

The sequence goes on whatever it says, so every step is judged. A new task counts with the untouched base's answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clm.bench.datasets import BenchTask
from clm.core.files import read_json, write_json
from clm.evaluation.comparison import ExampleScore
from clm.evaluation.gate import Handed, Terms, judge
from clm.evaluation.metrics import exact_match
from clm.llm.prompts import example_ids
from clm.llm.router import Router
from clm.llm.runtime import Runtime
from clm.policies import GatePolicy, TrainingPolicy
from clm.records import BASE
from clm.training.crossing import handed_over
from clm.training.examples import Example
from clm.training.routing import see

_FILE = "examples.json"  # of the newest step, so that a run that was cut off goes on


class Gated:
    """Judges the steps of one cell. `adapters` are hashes of loaded experts; None is the base."""

    def __init__(self, folder: Path, runtime: Runtime, policy: TrainingPolicy) -> None:
        self._file = folder / _FILE
        self._runtime, self._policy = runtime, policy
        self._likelihoods: dict[tuple[str | None, str], float] = {}
        kept: Mapping[str, Any] = read_json(self._file) if self._file.exists() else {}
        self._champion = {task: [ExampleScore(**one) for one in examples] for task, examples in kept.items()}

    def scored(self, task: BenchTask, answers: Sequence[str], adapters: Sequence[str | None]) -> list[ExampleScore]:
        """The test rows of a task, answered by these adapters."""
        self._measure(task, adapters)
        return [
            ExampleScore(
                f"{task.name} {number}",
                exact_match(said, row["completion"]),
                self._likelihoods[adapter, row["prompt"]],
                adapter or BASE,
            )
            for number, (row, said, adapter) in enumerate(zip(task.test, answers, adapters, strict=True))
        ]

    def judge(
        self,
        tasks: Sequence[BenchTask],
        candidate: Mapping[str, list[ExampleScore]],
        of_base: list[ExampleScore],
        router: Router | None,
    ) -> dict[str, Any]:
        """Of the step that taught the last of these tasks; `of_base`: what the base answers to it."""
        taught, gate = tasks[-1], GatePolicy()
        champion = {task.name: self._champion.get(task.name, of_base) for task in tasks}
        handed = self._handed(tasks, router) if router else {}
        terms = Terms(legacy={taught.name: 0}, handed=handed, overall_margin=gate.margin)
        verdict = judge(candidate, champion, dict.fromkeys(candidate, gate.margin), gate.confidence, terms=terms)
        self._champion = dict(candidate)
        write_json(self._file, {name: [asdict(one) for one in examples] for name, examples in candidate.items()})
        return {"verdict": verdict.verdict, "reason": verdict.reason,
                "by": {task.task: task.passed_by for task in verdict.tasks}}  # fmt: skip

    def _measure(self, task: BenchTask, adapters: Sequence[str | None]) -> None:
        for adapter in set(adapters):
            rows = [row for row, by in zip(task.test, adapters, strict=True)
                    if by == adapter and (adapter, row["prompt"]) not in self._likelihoods]  # fmt: skip
            if rows:
                ids = [example_ids(self._runtime.base.tokenizer, "completion", row) for row in rows]
                for row, value in zip(rows, self._runtime.log_likelihood(ids, adapter), strict=True):
                    self._likelihoods[adapter, row["prompt"]] = float(value)

    def _handed(self, tasks: Sequence[BenchTask], router: Router) -> dict[str, Handed]:
        base = self._runtime.base
        seen = {task.name: see(base, _examples(task), base.reading) for task in tasks}
        before = {task.name: seen[task.name] for task in tasks[:-1]}
        counted = handed_over(base, before, seen, tasks[-1].name, self._policy, router)
        return {name: Handed(*counts) for name, counts in counted.items()}


def _examples(task: BenchTask) -> list[Example]:
    return [Example(f"{task.name} {n}", "completion", dict(row)) for n, row in enumerate(task.train)]
