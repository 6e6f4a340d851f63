"""A tiny random base with two experts and a router, and jobs that evaluate them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from clm.core.artifacts import Artifacts
from clm.core.content import content_hash, prompt_hash
from clm.jobs.evaluation import Contestant, EvaluationJob
from clm.jobs.files import read_job, write
from clm.jobs.job import Compute, Stored
from clm.llm.base import load_base
from clm.llm.experts import new_expert, save_expert
from clm.llm.prompts import routing_ids
from clm.llm.router import fit_router, save_router
from clm.llm.runtime import Runtime
from clm.records import Json, Metric, Shape
from tiny import tiny_base

TASKS: dict[str, Metric] = {"letters": "exact_match", "numbers": "token_f1", "prose": "perplexity"}


def suite(task: str) -> list[tuple[Shape, Json]]:
    if task == "letters":
        return [("completion", {"prompt": f"say abc {n}", "completion": "abc"}) for n in range(6)]
    if task == "numbers":
        ask = "COUNT FROM {} PLEASE!"
        return [
            ("messages", {"messages": [{"role": "user", "content": ask.format(n)},
                                       {"role": "assistant", "content": "1 2 3"}]})
            for n in range(5)
        ]  # fmt: skip
    return [("text", {"text": f"once upon a time {n}"}) for n in range(4)]


def write_suites(path: Path, examples: Mapping[str, Iterable[tuple[Shape, Json]]]) -> list[dict[str, str]]:
    """Writes the examples of each task as a job reads them, and returns the rows."""
    rows = [
        {"example_id": f"rec_{content_hash(shape, content)[:24]}", "task": task, "shape": shape,
         "content": json.dumps(content), "prompt_hash": prompt_hash(shape, content),
         "content_hash": content_hash(shape, content)}
        for task, own in examples.items() for shape, content in own
    ]  # fmt: skip
    pl.DataFrame(rows).write_parquet(path)
    return rows


@dataclass(frozen=True)
class World:
    root: Path
    base: Path
    base_hash: str
    experts: dict[str, Stored]
    router: Stored


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("evaluation")
    base = load_base(tiny_base(root / "base"), threads=1)
    experts: dict[str, Stored] = {}
    for seed, task in enumerate(TASKS):
        expert = new_expert(base, base.trunk_layers, rank=4, alpha=8, seed=seed)
        random = torch.Generator().manual_seed(seed)
        for _, second in expert.weights.values():
            second.normal_(0, 0.5, generator=random)  # an expert that was just made changes nothing
        experts[task] = Stored(*save_expert(expert, base.hash, root / "experts"))
    runtime = Runtime(base)
    features = {
        task: runtime.features([routing_ids(base.tokenizer, shape, content) for shape, content in suite(task)])
        for task in TASKS
    }
    general = np.random.default_rng(0).normal(0, 50, (8, base.hidden_size)).astype(np.float32)
    made = fit_router(features, general, seed=1, point=base.reading)
    router = Stored(*save_router(made, root / "routers"))
    return World(root, root / "base", base.hash, experts, router)


Prepare = Callable[..., Path]


def change(folder: Path, **changes: Any) -> None:
    """Fields of the job that lies there already."""
    write(folder / "job.json", replace(read_job(folder, EvaluationJob), **changes))


def change_candidate(folder: Path, name: str = "candidate", **changes: Any) -> None:
    compositions = read_job(folder, EvaluationJob).compositions
    change(folder, compositions={**compositions, name: replace(compositions[name], **changes)})


@pytest.fixture
def prepare(world: World, tmp_path: Path) -> Prepare:
    """Makes a job folder; `tasks` have suites, each composition holds the experts of the tasks that it names.

    `changes` are fields of the job; a job that is there can be changed by `change`.
    """
    artifacts = Artifacts(tmp_path)
    artifacts.bases.mkdir()
    artifacts.base(world.base_hash).symlink_to(world.base)

    def make(name: str, compositions: dict[str, list[str]], tasks: list[str] | None = None, **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        suites = folder / "suites.parquet"
        write_suites(suites, {task: suite(task) for task in tasks or TASKS})
        parts = {
            composition: Contestant({task: world.experts[task] for task in held}, world.router if held else None)
            for composition, held in compositions.items()
        }
        job = EvaluationJob(base=world.base_hash, artifacts=artifacts, compute=Compute(1), compositions=parts,
                            suites=suites, metrics=TASKS, max_new_tokens=6)  # fmt: skip
        write(folder / "job.json", replace(job, **changes))
        return folder

    return make
