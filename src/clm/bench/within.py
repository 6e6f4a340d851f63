"""Does one task whose classes come one after the other keep the old ones, with how many experts?

One data set's classes come in deliveries, and nothing says where one ends: each is an update of the same task. After
each the model answers the test rows of all deliveries so far. `experts` grows and refreshes parts as an update does,
`joint` learns everything at once, any other strategy trains one adapter on. Each strategy and seed is a cell: a
process of its own whose finished deliveries are kept and not done again.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from clm.bench.bases import base_folder
from clm.bench.continual import parse_strategies
from clm.bench.datasets import load_deliveries
from clm.bench.options import WithinOptions
from clm.bench.progress import Progress
from clm.core.files import read_json, write_json
from clm.core.hashing import sha256_json
from clm.errors import TrainingFailed
from clm.evaluation import continual
from clm.evaluation.continual import Score
from clm.policies import PartsPolicy, TrainingPolicy
from clm.settings import Settings

JOINT = "joint"


def run(options: WithinOptions, progress: Progress) -> dict[str, Any]:
    kept = options.keep or Settings.load().home / "bench" / "within"
    kept.mkdir(parents=True, exist_ok=True)
    base = base_folder(options.base, kept)
    cells = [_Cell(options, base, kept, seed, name) for seed in options.seeds for name in options.strategies]
    total = sum(cell.steps for cell in cells)
    progress.begin(sum(cell.done for cell in cells) / total)
    for cell in cells:
        for message in cell.run():
            progress.show(sum(one.done for one in cells) / total, f"{cell.name}, seed {cell.seed}: {message}")
    strategies: dict[str, dict[str, Any]] = {}
    for name in options.strategies:
        runs = [cell.result() for cell in cells if cell.name == name]
        figures = ("average_performance", "backward_transfer", "parts", "seconds", "peak_memory_mb")
        strategies[name] = {
            **{key: _mean([run[key] for run in runs]) for key in figures},
            "matrix": runs[0]["matrix"],
            **({"matrices": [run["matrix"] for run in runs]} if len(runs) > 1 else {}),
            "choices": runs[0]["choices"],
        }
    return {"deliveries": [list(task.labels or ()) for task in cells[0].tasks], "strategies": strategies}


class _Cell:
    """One strategy on one seed's rows."""

    def __init__(self, options: WithinOptions, base: Path, kept: Path, seed: int, name: str) -> None:
        self.name, self.seed = name, seed
        self.tasks = load_deliveries(options.data, options.set, options.deliveries, options.train, options.test, seed)
        self.steps = 1 if name == JOINT else len(self.tasks)
        job = {
            "strategy": name,
            "policy": _policy(options, name, seed).model_dump(mode="json"),
            "parts": PartsPolicy(most_parts=options.most_parts).model_dump(mode="json"),
            "memory": options.memory,
            "dtype": options.dtype,
            "device": options.device,
        }
        rows = [asdict(task) for task in self.tasks]
        key = sha256_json([base.name, rows, job])
        self._folder = kept / f"{name.replace(':', '-').replace('=', '-')}-{seed}-{key[:16]}"
        self._folder.mkdir(exist_ok=True)
        write_json(self._folder / "rows.json", {"tasks": rows})
        write_json(self._folder / "job.json", {**job, "base": str(base), "threads": options.threads})

    @property
    def done(self) -> int:
        return len(list(self._folder.glob("step-*.json")))

    def run(self) -> Iterator[str]:
        """Yields what is being done until all steps are."""
        if self.done == self.steps:
            yield "kept from an earlier run"
            return
        command = [sys.executable, "-P", "-m", "clm.bench.within_cell", str(self._folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            said = ""
            for line in process.stdout or ():
                said = line.strip() or said
                yield said
        if process.returncode != 0 or self.done != self.steps:
            raise TrainingFailed(f"{self.name}, seed {self.seed}, ended with {process.returncode}: {said}")

    def result(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [read_json(file) for file in sorted(self._folder.glob("step-*.json"))]
        nothing: list[Score] = [None] * len(self.tasks)
        before = [nothing] * (len(self.tasks) - 1) if self.name == JOINT else []
        matrix: list[list[Score]] = [*before, *(step["scores"] for step in steps)]
        return {
            "matrix": matrix,
            "average_performance": continual.average_performance(matrix),
            "backward_transfer": continual.backward_transfer(matrix),
            "parts": len(steps[-1]["experts"]),
            "seconds": sum(step["seconds"] for step in steps),
            "peak_memory_mb": max(step["peak_memory_mb"] for step in steps),
            "choices": [step["choice"] for step in steps],
        }


def _policy(options: WithinOptions, name: str, seed: int) -> TrainingPolicy:
    strategies = [{"name": "finetune"}] if name == JOINT else parse_strategies(name)
    length = {"epochs": options.epochs} if options.epochs else {}
    return TrainingPolicy.model_validate(
        {"learning_rate": options.learning_rate, "batch_size": options.batch_size, "seed": seed,
         "strategies": strategies, **length}
    )  # fmt: skip


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
