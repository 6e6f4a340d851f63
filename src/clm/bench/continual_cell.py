"""`python -m clm.bench.continual_cell FOLDER`: one strategy learns one sequence; each finished task stays as a step.

Reads `job.json` (base, rows, policy or null for the untouched base, baseline, threads, dtype, device); writes
`step-NN.json` with the scores after each task, and beside it the adapters, so that it goes on where it was cut off.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from clm.bench.cells import Steps, run, say
from clm.bench.datasets import BenchTask
from clm.bench.gated import Gated
from clm.bench.general import GENERAL_REQUESTS, general_suite
from clm.bench.processes import device_peak_mb, own_peak_mb
from clm.bench.public_sets import Row
from clm.core.files import read_json, write_json
from clm.evaluation.metrics import exact_match, normalise
from clm.llm.base import load_base
from clm.llm.discriminant import Features
from clm.llm.experts import load_expert, save_expert
from clm.llm.prompts import chat_ids, prompt_ids
from clm.llm.router import Router, Seen
from clm.llm.runtime import GenerationRequest, Runtime
from clm.policies import TrainingPolicy, TransferPolicy
from clm.records import BASE
from clm.strategies import adapter_of
from clm.training.examples import Example
from clm.training.learning import learn
from clm.training.routing import fit, see
from clm.training.strategies.hooks import Lesson
from clm.training.transfer import Start, choose_start

GENERAL_TOKENS = 24  # of an answer to a general question
ROOM = 2  # tokens that an answer may be longer than the longest of its task


class Cell:
    def __init__(self, folder: Path) -> None:
        job = read_json(folder / "job.json")
        self._folder = folder
        self._tasks = [BenchTask(**task) for task in read_json(Path(job["rows"]))["tasks"]]
        self._names = [task.name for task in self._tasks]
        self._base = load_base(Path(job["base"]), job["threads"], job["device"], job["dtype"])
        self._runtime = Runtime(self._base)
        self._transfer = TransferPolicy(enabled=job["transfer"])
        self._baseline = Path(job["baseline"])
        known = read_json(self._baseline) if self._baseline.exists() else {}
        self._answers: dict[tuple[str | None, str], str] = {(None, prompt): text for prompt, text in known.items()}
        self._policy = TrainingPolicy.model_validate(job["policy"]) if job["policy"] else None
        joint = self._policy is not None and any(options.name == "joint" for options in self._policy.strategies)
        self._gated = Gated(folder, self._runtime, self._policy) if self._policy and not joint else None
        self._experts: dict[str, str] = {}  # hash by adapter
        self._state: dict[str, Tensor] = {}
        self._seen: dict[str, Seen] = {}  # training rows as the router sees them, by task
        self._test_features: dict[str, Features] = {}

    def run(self) -> None:
        if self._policy is None:
            scores = [self._score(j, [None] * len(t.test)) for j, t in enumerate(self._tasks)]
            self._write(0, {"scores": scores, "general": self._general_score(None)})
            write_json(self._baseline, {prompt: text for (_, prompt), text in self._answers.items()})
            return
        last = len(self._tasks) - 1
        if any(options.name == "joint" for options in self._policy.strategies):
            self._step(0, last)
            return
        for number in range(len(self._tasks)):
            if (self._folder / f"step-{number:02}.json").exists():
                self._go_on_from(number)
            else:
                self._step(number, number)

    def _step(self, step: int, number: int) -> None:
        assert self._policy is not None
        task = self._tasks[number]
        started = time.monotonic()
        adapter = adapter_of(self._policy.strategies, task.name)
        path = self._expert_path(self._experts[adapter]) if adapter in self._experts else None
        start = self._start(task) if adapter == task.name and self._transfer.enabled else None
        if start is not None:
            say(start.reason)
        old, other = (
            load_expert(place, self._base) if place else None for place in (path, start.path if start else None)
        )
        lesson = Lesson(
            self._base, task.name, self._rows(task),
            {earlier.name: _examples(earlier) for earlier in self._tasks[:number]}, old,
            self._state if old else {},  # that of an adapter which is trained on, not of the one made before
            start=other,
        )  # fmt: skip
        learned = learn(lesson, self._policy, self._folder / "checkpoints", Steps(task.name))
        self._experts[adapter] = save_expert(learned.expert, self._base.hash, self._folder / "experts")[0]
        self._state = learned.state
        router = self._fit_router(number) if adapter == task.name else None
        seconds = time.monotonic() - started

        say(f"{task.name} learned, evaluating")
        started = time.monotonic()
        scores = [self._score(j, self._route(router, j)) for j in range(min(number + 2, len(self._tasks)))]
        gated = self._gated_at(number, router)
        self._write(
            step,
            {
                "gate": gated,
                "scores": [*scores, *[None] * (len(self._tasks) - len(scores))],
                "misrouted": self._misrouted(router, number),
                "general_on_base": self._general_on_base(router),
                "general": self._general_score(router),
                "seconds": seconds,
                "evaluation_seconds": time.monotonic() - started,
                "steps": learned.steps,
                "tokens": learned.tokens,
                "final_loss": learned.final_loss,
                "notes": {**learned.notes, **({"transfer": start.record()} if start else {})},
                "peak_memory_mb": own_peak_mb(),
                "peak_device_mb": device_peak_mb(self._base.model.device),
                "experts": self._experts,
            },
        )

    def _gated_at(self, number: int, router: Router | None) -> dict[str, Any] | None:
        """What the gate says to the step that taught this task; None: there is no step before it."""
        if self._gated is None:
            return None
        learned, of_base = self._tasks[: number + 1], [None] * len(self._tasks[number].test)
        adapters = [self._route(router, j) for j in range(number + 1)]
        scored = {
            task.name: self._gated.scored(task, self._answers_of(j, adapters[j]), adapters[j])
            for j, task in enumerate(learned)
        }
        before = self._gated.scored(learned[-1], self._answers_of(number, of_base), of_base)
        return self._gated.judge(learned, scored, before, router)

    def _start(self, task: BenchTask) -> Start:
        """Where a new expert starts, chosen as in an update: on held-back rows of the task."""
        assert self._policy is not None
        experts = {name: self._expert_path(expert) for name, expert in self._experts.items()}
        features = {name: self._seen_of(name).features for name in (*experts, task.name)}
        return choose_start(self._base, _examples(task), self._policy, self._transfer, experts, features,
                            features[task.name])  # fmt: skip

    def _seen_of(self, name: str) -> Seen:
        if name not in self._seen:
            task = self._tasks[self._names.index(name)]
            self._seen[name] = see(self._base, _examples(task), self._base.reading)
        return self._seen[name]

    def _write(self, step: int, result: dict[str, Any]) -> None:
        save_file(self._state, self._folder / "state.safetensors")
        write_json(self._folder / f"step-{step:02}.json", result)

    def _go_on_from(self, number: int) -> None:
        self._experts = read_json(self._folder / f"step-{number:02}.json")["experts"]
        self._state = load_file(self._folder / "state.safetensors")

    def _rows(self, task: BenchTask) -> list[Example]:
        rows = _examples(task)
        if self._policy and any(options.name == "domain" for options in self._policy.strategies):
            # The same prompts once more, without their answers: what a domain's unlabelled text is.
            rows += [Example(f"text {row.record_id}", "text", {"text": row.content["prompt"]}) for row in rows]
        return rows

    def _expert_path(self, expert_hash: str) -> Path:
        return self._folder / "experts" / expert_hash

    def _fit_router(self, last: int) -> Router:
        seen = {name: self._seen_of(name) for name in self._names[: last + 1]}
        return fit(self._base, seen, self._policy.seed if self._policy else 0)

    def _read(self, prompts: Sequence[str]) -> Features:
        ids = [chat_ids(self._base.tokenizer, [{"role": "user", "content": prompt}]) for prompt in prompts]
        return self._runtime.features(ids)

    def _tasks_of(self, router: Router, number: int) -> list[str]:
        task = self._tasks[number]
        if task.name not in self._test_features:
            self._test_features[task.name] = self._read([row["prompt"] for row in task.test])
        return router.route(self._test_features[task.name])

    def _route(self, router: Router | None, number: int) -> list[str | None]:
        """The adapter's hash for each test row; None: the base."""
        if router is None:
            return [next(iter(self._experts.values()))] * len(self._tasks[number].test)
        return [self._experts.get(name) for name in self._tasks_of(router, number)]

    def _misrouted(self, router: Router | None, last: int) -> float | None:
        if router is None:
            return None
        return fmean(
            name != self._names[number] for number in range(last + 1) for name in self._tasks_of(router, number)
        )

    def _general_on_base(self, router: Router | None) -> float | None:
        if router is None:
            return None
        if "" not in self._test_features:
            self._test_features[""] = self._read(GENERAL_REQUESTS)
        return float(np.mean([name == BASE for name in router.route(self._test_features[""])]))

    def _general_score(self, router: Router | None) -> float:
        """Share of simple questions whose answer is part of what is said."""
        rows = general_suite()
        adapters: list[str | None] = [next(iter(self._experts.values()), None)] * len(rows)
        if router is not None:
            routed = router.route(self._read([row["prompt"] for row in rows]))
            adapters = [self._experts.get(name) for name in routed]
        answers = self._ask(rows, adapters, GENERAL_TOKENS)
        return fmean(normalise(row["completion"]) in normalise(said) for row, said in zip(rows, answers, strict=True))

    def _score(self, number: int, adapters: Sequence[str | None]) -> float:
        """Mean exact match of greedy answers to a task's test rows."""
        answers = self._answers_of(number, adapters)
        rows = self._tasks[number].test
        return fmean(exact_match(said, row["completion"]) for row, said in zip(rows, answers, strict=True))

    def _answers_of(self, number: int, adapters: Sequence[str | None]) -> list[str]:
        task = self._tasks[number]
        tokenizer = self._base.tokenizer
        longest = max(len(tokenizer.encode(row["completion"])) for row in (*task.train, *task.test))
        return self._ask(task.test, adapters, longest + ROOM)

    def _ask(self, rows: Sequence[Row], adapters: Sequence[str | None], most_tokens: int) -> list[str]:
        """Greedy answers; known ones are not made again."""
        asked = list(zip(rows, adapters, strict=True))
        missing = [(row, adapter) for row, adapter in asked if (adapter, row["prompt"]) not in self._answers]
        for adapter in {adapter for _, adapter in missing} - {None}:
            self._runtime.load_expert(str(adapter), self._expert_path(str(adapter)))
        requests = [
            GenerationRequest(prompt_ids(self._base.tokenizer, "completion", row), adapter, most_tokens)
            for row, adapter in missing
        ]
        for (row, adapter), answer in zip(missing, self._runtime.generate(requests), strict=True):
            self._answers[adapter, row["prompt"]] = answer.text
        return [self._answers[adapter, row["prompt"]] for row, adapter in asked]


def _examples(task: BenchTask) -> list[Example]:
    return [Example(f"{task.name} {n}", "completion", dict(row)) for n, row in enumerate(task.train)]


if __name__ == "__main__":
    sys.exit(run(lambda folder: Cell(folder).run()))
