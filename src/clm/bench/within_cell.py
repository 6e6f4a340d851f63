"""`python -m clm.bench.within_cell FOLDER`: one strategy learns one task in deliveries; each finished one stays a step.

Reads `job.json` (base, rows, strategy, policy, parts, memory, threads, dtype, device); writes `step-NN.json` with the
scores after each delivery, and beside it experts and router features, so that it goes on where it was cut off.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from torch import Tensor

from clm.bench.cells import Steps, run, say
from clm.bench.datasets import BenchTask
from clm.bench.processes import own_peak_mb
from clm.core.files import read_json, write_json
from clm.evaluation.metrics import exact_match
from clm.llm.base import load_base
from clm.llm.discriminant import Features
from clm.llm.experts import load_expert, save_expert
from clm.llm.prompts import prompt_ids
from clm.llm.router import Seen, save_features
from clm.llm.runtime import GenerationRequest, Runtime
from clm.policies import PartsPolicy, TrainingPolicy
from clm.store import memory
from clm.training.examples import Example
from clm.training.learning import learn
from clm.training.part_choice import choose_part
from clm.training.parts import Choice, Known, seen_after
from clm.training.routing import fit, load_seen, task_features
from clm.training.states import load_state, save_state
from clm.training.strategies.hooks import Lesson

TASK = "task"
ROOM = 2  # tokens that an answer may be longer than the longest one


class Cell:
    def __init__(self, folder: Path) -> None:
        job = read_json(folder / "job.json")
        self._folder = folder
        self._deliveries = [BenchTask(**task) for task in read_json(folder / "rows.json")["tasks"]]
        self._base = load_base(Path(job["base"]), job["threads"], job["device"], job["dtype"])
        self._runtime = Runtime(self._base)
        self._strategy: str = job["strategy"]
        self._policy = TrainingPolicy.model_validate(job["policy"])
        self._parts = PartsPolicy.model_validate(job["parts"])
        self._grows = any(options.name == "experts" for options in self._policy.strategies)
        self._most_memory: int = job["memory"]
        self._experts: dict[str, str] = {}  # hash by name
        self._features: dict[str, str] = {}  # the same of what the router knows
        self._states: dict[str, str | None] = {}  # and of what the strategies remember
        self._memory: list[Example] = []
        self._answers: dict[tuple[str | None, str], str] = {}
        self._asked: dict[int, Features] = {}  # of test rows, by delivery
        rows = [row for task in self._deliveries for row in (*task.train, *task.test)]
        self._most_tokens = ROOM + max(len(self._base.tokenizer.encode(row["completion"])) for row in rows)

    def run(self) -> None:
        if self._strategy == "joint":
            if not (self._folder / "step-00.json").exists():
                self._step(0, [row for number in range(len(self._deliveries)) for row in self._rows(number)])
            return
        for number in range(len(self._deliveries)):
            kept = self._folder / f"step-{number:02}.json"
            if kept.exists():
                step = read_json(kept)
                self._experts, self._features, self._states = step["experts"], step["features"], step["states"]
                self._remember(number)
            else:
                self._step(number, self._rows(number))

    def _step(self, number: int, new: list[Example]) -> None:
        started = time.monotonic()
        choice = self._choose(new)
        say(f"delivery {number + 1}: {choice.reason}")
        start = (
            load_expert(self._folder / "experts" / self._experts[choice.start], self._base) if choice.start else None
        )
        old, state = (start, self._state(choice.part)) if choice.start == choice.part else (None, {})
        lesson = Lesson(self._base, TASK, new, {TASK: choice.replay}, old, state, start=start)
        policy = self._policy.refreshing() if self._grows and choice.kind == "refresh" else self._policy
        steps = Steps(f"delivery {number + 1}")
        learned = learn(lesson, policy, self._folder / "checkpoints" / str(number), steps)
        seen = seen_after(self._base, choice, new, self._seen(), self._policy.seed) if self._grows else None
        self._experts = {name: expert_hash for name, expert_hash in self._experts.items() if name not in choice.merged}
        self._experts[choice.part] = save_expert(learned.expert, self._base.hash, self._folder / "experts")[0]
        self._states[choice.part] = save_state(learned.state, self._folder / "states")
        if seen is not None:
            self._features = {name: kept for name, kept in self._features.items() if name not in choice.merged}
            saved = save_features(seen, self._folder / "features")
            self._features[choice.part] = saved[0]
        self._remember(number)
        seconds = time.monotonic() - started
        upto = len(self._deliveries) if self._strategy == "joint" else number + 1
        scores = self._scores(upto)
        write_json(
            self._folder / f"step-{number:02}.json",
            {
                "scores": [*scores, *[None] * (len(self._deliveries) - upto)],
                "seconds": seconds,
                "evaluation_seconds": time.monotonic() - started - seconds,
                "experts": self._experts,
                "features": self._features,
                "states": self._states,
                "choice": choice.record(),
                "notes": learned.notes,
                "steps": learned.steps,
                "peak_memory_mb": own_peak_mb(),
            },
        )

    def _state(self, part: str) -> dict[str, Tensor]:
        state_hash = self._states.get(part)
        return load_state(self._folder / "states" / f"{state_hash}.safetensors") if state_hash else {}

    def _choose(self, new: list[Example]) -> Choice:
        if not self._experts:
            return Choice("new", TASK, "", (), "The first delivery.")
        if not self._grows:
            return Choice("refresh", TASK, TASK, tuple(self._memory), "One adapter.")
        known = Known(
            {name: self._folder / "experts" / expert_hash for name, expert_hash in self._experts.items()}, self._seen()
        )
        return choose_part(self._base, TASK, new, self._memory, known, self._policy, self._parts)

    def _seen(self) -> dict[str, Seen]:
        return load_seen({name: self._folder / "features" / f"{feature_hash}.safetensors"
                          for name, feature_hash in self._features.items()})  # fmt: skip

    def _rows(self, number: int) -> list[Example]:
        return [Example(f"{number} {n}", "completion", dict(row))
                for n, row in enumerate(self._deliveries[number].train)]  # fmt: skip

    def _remember(self, number: int) -> None:
        """As an update does with the policy `balanced`."""
        rows = [*self._memory, *self._rows(number)]
        answers = [row.content["completion"] for row in rows]
        of = memory.Rows([row.record_id for row in rows], answers, [1] * len(rows))
        kept = memory.choose("balanced", of, most=self._most_memory, most_bytes=len(rows), seed=self._policy.seed)
        self._memory = [rows[index] for index in kept]

    def _scores(self, upto: int) -> list[float]:
        """Mean exact match of greedy answers per delivery, routed where there is a router."""
        router = fit(self._base, self._seen(), self._policy.seed, self._policy.strategies) if self._grows else None
        scores: list[float] = []
        for number, task in enumerate(self._deliveries[:upto]):
            adapters: Sequence[str | None] = [self._experts[TASK]] * len(task.test)
            if router is not None:
                if number not in self._asked:
                    rows = [Example(str(n), "completion", dict(row)) for n, row in enumerate(task.test)]
                    self._asked[number] = task_features(self._base, rows)
                adapters = [self._experts.get(name) for name in router.route(self._asked[number])]
            scores.append(self._score(task, adapters))
        return scores

    def _score(self, task: BenchTask, adapters: Sequence[str | None]) -> float:
        """Known answers are not made again."""
        asked = list(zip(task.test, adapters, strict=True))
        missing = [(row, adapter) for row, adapter in asked if (adapter, row["prompt"]) not in self._answers]
        for adapter in sorted({adapter for _, adapter in missing if adapter is not None}):
            self._runtime.load_expert(adapter, self._folder / "experts" / adapter)
        requests = [
            GenerationRequest(prompt_ids(self._base.tokenizer, "completion", row), adapter, self._most_tokens)
            for row, adapter in missing
        ]
        for (row, adapter), answer in zip(missing, self._runtime.generate(requests), strict=True):
            self._answers[adapter, row["prompt"]] = answer.text
        return fmean(exact_match(self._answers[adapter, row["prompt"]], row["completion"]) for row, adapter in asked)


if __name__ == "__main__":
    sys.exit(run(lambda folder: Cell(folder).run()))
