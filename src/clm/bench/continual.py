"""How much does each strategy learn and forget on a sequence of data sets?

All strategies get the same base, rows and budget. After every task the model answers the test rows of all tasks so far
and of the next one, without being told which task a prompt belongs to. Each strategy and seed is a cell: a process of
its own (so that its peak memory is its own) whose finished steps are kept and not done again.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from clm.bench.bases import base_folder
from clm.bench.datasets import load_sequence
from clm.bench.general import general_suite
from clm.bench.options import ContinualOptions
from clm.bench.progress import Progress
from clm.core.files import read_json, write_json
from clm.core.hashing import sha256_json
from clm.errors import InvalidInput, TrainingFailed
from clm.evaluation import continual
from clm.evaluation.continual import Score
from clm.policies import TrainingPolicy
from clm.settings import Settings

BASELINE = "base"  # the cell in which nothing is learned
FIGURES = ("average_performance", "gated_acceptance", "backward_transfer", "forward_transfer", "forgetting",
           "misrouted", "general_on_base", "general_change", "seconds", "evaluation_seconds", "peak_memory_mb",
           "peak_device_mb")  # fmt: skip


def run(options: ContinualOptions, progress: Progress) -> dict[str, Any]:
    for name, known in (("dtype", ("float32", "bfloat16")), ("device", ("cpu", "cuda"))):
        if getattr(options, name) not in known:
            raise InvalidInput(f"--{name} is {getattr(options, name)!r}; it is {' or '.join(known)}.", field=name)
    policies = {name: _policy(options, name) for name in options.strategies}
    kept = options.keep or Settings.load().home / "bench" / "continual"
    kept.mkdir(parents=True, exist_ok=True)
    base = base_folder(options.base, kept)
    cells = [
        _Cell(options, base, kept, seed, name, policies.get(name))
        for seed in options.seeds
        for name in (BASELINE, *options.strategies)
    ]
    done = sum(cell.done for cell in cells)
    total = sum(cell.steps for cell in cells)
    progress.begin(done / total)
    results: dict[tuple[int, str], dict[str, Any]] = {}
    for cell in cells:
        before = done - cell.done
        for step, message in cell.run():
            done = before + step
            progress.show(done / total, f"{cell.name}, seed {cell.seed}: {message}")
        results[cell.seed, cell.name] = cell.result()
    return _figures(options, [task.name for task in cells[0].tasks], results)


class _Cell:
    """One strategy on one seed's rows."""

    def __init__(
        self, options: ContinualOptions, base: Path, kept: Path, seed: int, name: str, policy: TrainingPolicy | None
    ) -> None:
        self.name, self.seed = name, seed
        self.tasks = load_sequence(options.data, options.sequence, options.train, options.test, seed, options.dev)
        self._joint = policy is not None and any(chosen.name == "joint" for chosen in policy.strategies)
        self.steps = 1 if policy is None or self._joint else len(self.tasks)
        # What is learned all at once, or not at all, is the same cell in every order.
        asked = sorted(self.tasks, key=lambda task: task.name) if self.steps == 1 else self.tasks
        self._places = [asked.index(task) for task in self.tasks]
        rows = [asdict(task) for task in asked]
        settings = policy.model_copy(update={"seed": seed}).model_dump(mode="json") if policy else None
        own_adapters = policy is not None and any(chosen.name == "experts" for chosen in policy.strategies)
        transfer = bool(options.transfer) and own_adapters
        answered_by = [base.name, options.dtype, options.device, general_suite()]
        key = sha256_json([answered_by, rows, settings, transfer])
        self._folder = kept / f"{name.replace(':', '-').replace('=', '-')}-{seed}-{key[:16]}"
        tests = sha256_json([answered_by, sorted(str(row["test"]) for row in rows)])
        self._baseline = kept / f"baseline-{tests[:16]}.json"
        self._folder.mkdir(exist_ok=True)
        write_json(self._folder / "rows.json", {"tasks": rows})
        job = {"base": str(base), "rows": str(self._folder / "rows.json"), "policy": settings, "transfer": transfer,
               "baseline": str(self._baseline), "threads": options.threads, "dtype": options.dtype,
               "device": options.device}  # fmt: skip
        write_json(self._folder / "job.json", job)

    @property
    def done(self) -> int:
        return len(list(self._folder.glob("step-*.json")))

    def run(self) -> Any:
        """Yields (steps done, what is being done) until all are."""
        if self.done == self.steps:
            yield self.steps, "kept from an earlier run"
            return
        command = [sys.executable, "-P", "-m", "clm.bench.continual_cell", str(self._folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            said = ""
            for line in process.stdout or ():
                said = line.strip() or said
                yield self.done, said
        if process.returncode != 0 or self.done != self.steps:
            raise TrainingFailed(f"{self.name}, seed {self.seed}, ended with {process.returncode}: {said}")

    def result(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [read_json(file) for file in sorted(self._folder.glob("step-*.json"))]
        for step in steps:
            step["scores"] = [step["scores"][place] for place in self._places]
        if self.name == BASELINE:
            return {"scores": steps[-1]["scores"], "general": steps[-1].get("general")}
        nothing: list[Score] = [None] * len(self.tasks)
        # Joint training happens once, on everything: there is no "before".
        before = [nothing] * (len(self.tasks) - 1) if self._joint else []
        matrix: list[list[Score]] = [*before, *(step["scores"] for step in steps)]
        peaks = {
            where: max((step[where] for step in steps if step[where] is not None), default=None)
            for where in ("peak_memory_mb", "peak_device_mb")
        }
        return {
            "matrix": matrix,
            "seconds": sum(step["seconds"] for step in steps),
            "evaluation_seconds": sum(step["evaluation_seconds"] for step in steps),
            **peaks,
            "misrouted": steps[-1]["misrouted"],
            "general_on_base": steps[-1]["general_on_base"],
            "general": steps[-1].get("general"),
            "notes": [step["notes"] for step in steps],
            "gate": [step.get("gate") for step in steps],
        }


def _figures(
    options: ContinualOptions, tasks: Sequence[str], results: dict[tuple[int, str], dict[str, Any]]
) -> dict[str, Any]:
    """Means over seeds; one matrix per seed where there are several."""
    strategies: dict[str, dict[str, Any]] = {}
    for name in options.strategies:
        runs = [
            _of_run(results[seed, name], results[seed, BASELINE], _reference(options, results, seed))
            for seed in options.seeds
        ]
        figures = {key: _mean([run[key] for run in runs]) for key in (*FIGURES, "intransigence")}
        matrices = [run["matrix"] for run in runs]
        strategies[name] = {
            **figures,
            "matrix": matrices[0],
            **({"matrices": matrices} if len(matrices) > 1 else {}),
            "per_seed": {str(seed): run["average_performance"] for seed, run in zip(options.seeds, runs, strict=True)},
            "notes": runs[0]["notes"],
            "gate": runs[0]["gate"],
        }
    baseline = [results[seed, BASELINE]["scores"] for seed in options.seeds]
    return {
        "tasks": list(tasks),
        "strategies": strategies,
        "base": [fmean(scores) for scores in zip(*baseline, strict=True)],
    }


def _of_run(run: dict[str, Any], base: dict[str, Any], reference: list[Score] | None) -> dict[str, Any]:
    matrix = run["matrix"]
    return {
        **run,
        "average_performance": continual.average_performance(matrix),
        "backward_transfer": continual.backward_transfer(matrix),
        "forward_transfer": continual.forward_transfer(matrix, base["scores"]),
        "forgetting": continual.forgetting(matrix),
        "general_change": continual.general_change([base["general"]], [run["general"]]),
        "intransigence": continual.intransigence(matrix, reference) if reference else None,
        "gated_acceptance": _accepted(run["gate"]),
    }


def _accepted(steps: Sequence[dict[str, Any] | None]) -> float | None:
    """Share of the steps that the gate would have let through; None: nobody asked it."""
    passed = [step["verdict"] == "pass" for step in steps if step is not None]
    return fmean(passed) if passed else None


def _reference(
    options: ContinualOptions, results: dict[tuple[int, str], dict[str, Any]], seed: int
) -> list[Score] | None:
    """What joint training reaches, where it is part of the run."""
    return results[seed, "joint"]["matrix"][-1] if "joint" in options.strategies else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _policy(options: ContinualOptions, name: str) -> TrainingPolicy:
    length = {"epochs": options.epochs} if options.epochs else {}
    return TrainingPolicy.model_validate(
        {**length, "learning_rate": options.learning_rate, "batch_size": options.batch_size,
         "strategies": parse_strategies(name)}
    )  # fmt: skip


def parse_strategies(text: str) -> list[dict[str, Any]]:
    """`replay+distill`, or with options `merge:method=ties;density=0.3`: what a policy names."""
    chosen: list[dict[str, Any]] = []
    for part in text.split("+"):
        name, _, given = part.partition(":")
        options: dict[str, Any] = {"name": name.strip()}
        for setting in filter(None, given.split(";")):
            key, equals, value = setting.partition("=")
            if not equals:
                raise InvalidInput(f"{part!r} is no strategy with options: write name:option=value;option=value.",
                                   field="strategies")  # fmt: skip
            options[key.strip()] = yaml.safe_load(value)
        chosen.append(options)
    return chosen
