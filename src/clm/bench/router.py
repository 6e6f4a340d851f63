"""From which states, and from how many rows, does the router find a prompt's task best?

Every variant is fitted on the same training rows. The best one is chosen on development rows, which come out of the
published training rows, and only then looked at on the test rows. General requests have to stay on the base, and so
have CLINC150's out-of-scope prompts, alone and behind the tasks' own instructions, where the data has them.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from clm.bench.bases import base_folder
from clm.bench.datasets import BenchTask, load_sequence
from clm.bench.general import GENERAL_REQUESTS
from clm.bench.options import RouterOptions
from clm.bench.progress import Progress
from clm.bench.public_sets import out_of_scope
from clm.bench.router_baselines import baselines
from clm.errors import InvalidInput
from clm.llm.base import Base, load_base
from clm.llm.batches import group_by_length, pack
from clm.llm.discriminant import Features
from clm.llm.general_prompts import groups
from clm.llm.points import Point
from clm.llm.prompts import chat_ids
from clm.llm.router import Answers, answer_numbers, fit_router
from clm.records import BASE
from clm.training.examples import Example
from clm.training.strangers import instruction_of

POOLINGS = ("mean", "last", "mean+last")
SHRINKAGES = (0.01, 0.1, 0.5, 1.0)  # beside Ledoit and Wolf's own
ROWS, TOKENS = 32, 4096  # of a forward pass
States = dict[int, Features]  # by layer, [prompts, mean and last: 2 * hidden]


def run(options: RouterOptions, progress: Progress) -> dict[str, Any]:
    with TemporaryDirectory() as temporary:
        base = load_base(base_folder(options.base, Path(temporary)), options.threads)
    layers = sorted({*options.layers, base.reading.layer})
    if layers[-1] > base.layers:
        raise InvalidInput(f"--layers names layer {layers[-1]}; this base has {base.layers}.")
    tasks = load_sequence(options.data, options.sequence, options.train, options.test, options.seed, options.dev)
    pools = _pools(tasks, options.data)
    progress.begin()
    states: dict[str, States] = {}
    for number, (name, prompts) in enumerate(pools.items(), start=1):
        states[name] = read_states(base, prompts, layers)
        progress.show(0.8 * number / len(pools), f"{name} read")
    answers = {task.name: answer_numbers([row["completion"] for row in task.train]) for task in tasks}
    variants = _variants(layers, base.reading, options)
    results: list[dict[str, Any]] = []
    for number, variant in enumerate(variants, start=1):
        results.append(_measure(variant, states, answers, options.seed))
        progress.show(0.8 + 0.2 * number / len(variants), f"{number} of {len(variants)} variants")
    now = next(each for each in results if each["variant"] == "as built in")
    # Fewest astray on the development rows, general requests counted like one more task.
    best = min(results, key=lambda each: each["misrouted_dev"] + 1 - each["general_dev"])
    return {"tasks": [task.name for task in tasks], "built_in": now, "best_on_dev": best, "variants": results,
            "baselines": _baselines(base.reading, states, tasks, answers)}  # fmt: skip


@torch.inference_mode()
def read_states(base: Base, prompts: Sequence[str], layers: Sequence[int]) -> States:
    """Mean and last-token states after each of the layers."""
    ids = [chat_ids(base.tokenizer, [{"role": "user", "content": prompt}]) for prompt in prompts]
    states = {layer: np.zeros((len(ids), 2 * base.hidden_size), np.float32) for layer in layers}
    for group in group_by_length([len(row) for row in ids], ROWS, TOKENS):
        packed = pack([ids[n] for n in group], device=base.model.device)
        hidden, done = base.model.embed(packed.ids), 0
        for layer in layers:
            hidden = base.model.forward(hidden, packed.layout, done, layer)
            done = layer
            prefix, own = packed.split(hidden)
            mean = (prefix.sum(0) + (own * packed.inside()[..., None]).sum(1)) / packed.lengths[:, None]
            states[layer][group] = torch.cat((mean, packed.last(own)), 1).cpu().numpy()
    return states


def _pools(tasks: Sequence[BenchTask], data: Path) -> dict[str, Sequence[str]]:
    """Prompts by what they are for. General requests too are split: one half chooses, the other reports."""
    shared = [instruction_of([Example("", "completion", dict(row)) for row in task.train]) for task in tasks]
    instructions = sorted({each.text for each in shared if each is not None})
    beside = [group for text in (None, *instructions) for group in groups(text)]
    pools: dict[str, Sequence[str]] = {f"strangers/{number}": group for number, group in enumerate(beside)}
    pools |= {"general_dev": GENERAL_REQUESTS[::2], "general_test": GENERAL_REQUESTS[1::2]}
    for split, prompts in out_of_scope(data).items():
        pools[f"out_of_scope_{split}"] = prompts
        if instructions:  # each prompt behind one of them, in turn
            texts = [instructions[number % len(instructions)] for number in range(len(prompts))]
            pools[f"out_of_scope_told_{split}"] = [text + prompt for text, prompt in zip(texts, prompts, strict=True)]
    for task in tasks:
        for split in ("train", "dev", "test"):
            pools[f"{task.name}/{split}"] = [row["prompt"] for row in getattr(task, split)]
    return pools


def _variants(layers: Sequence[int], reading: Point, options: RouterOptions) -> list[dict[str, Any]]:
    """One thing is changed at a time, but for layer and pooling, which are crossed."""
    now: dict[str, Any] = {"layers": [reading.layer], "pooling": reading.pooling, "classes": "answers",
                           "shrinkage": None, "rows": None}  # fmt: skip
    return [
        {"variant": "as built in", **now},
        {"variant": "classes", **now, "classes": "tasks"},
        *({"variant": "states", **now, "layers": [layer], "pooling": pooling}
          for layer in layers for pooling in POOLINGS),
        *({"variant": "two layers", **now, "layers": [layer, reading.layer]}
          for layer in layers if layer != reading.layer),
        *({"variant": "shrinkage", **now, "shrinkage": shrinkage} for shrinkage in SHRINKAGES),
        *({"variant": "rows", **now, "rows": rows} for rows in options.amounts if rows < options.train),
    ]  # fmt: skip


def _measure(
    variant: dict[str, Any], states: dict[str, States], answers: dict[str, Answers], seed: int
) -> dict[str, Any]:
    names = list(answers)

    def features(pool: str, rows: int | None = None) -> Features:
        return np.concatenate([_pooled(states[pool][n][:rows], variant["pooling"]) for n in variant["layers"]], 1)

    started = time.monotonic()
    fitted = {name: features(f"{name}/train", variant["rows"]) for name in names}
    parts = {name: answers[name][: variant["rows"]] for name in names} if variant["classes"] == "answers" else None
    strangers = [features(pool) for pool in states if pool.startswith("strangers/")]
    router = fit_router(fitted, strangers, seed, variant["shrinkage"], parts)
    seconds = time.monotonic() - started

    def astray(split: str) -> float:
        routed = [(name, router.route(features(f"{name}/{split}"))) for name in names]
        return fmean(task != name for name, tasks in routed for task in tasks)

    def stay(pool: str) -> float:
        return fmean(task == BASE for task in router.route(features(pool)))

    beyond = [pool for pool in states if pool.startswith("out_of_scope")]
    return {
        **variant, "misrouted_dev": astray("dev"), "misrouted_test": astray("test"),
        "general_dev": stay("general_dev"), "general_test": stay("general_test"), "fit_seconds": seconds,
        **{f"{pool}_to_expert": 1 - stay(pool) for pool in beyond},
    }  # fmt: skip


def _baselines(
    point: Point, states: dict[str, States], tasks: Sequence[BenchTask], answers: dict[str, Answers]
) -> dict[str, Any]:
    def features(split: str) -> dict[str, Features]:
        return {task.name: _pooled(states[f"{task.name}/{split}"][point.layer], point.pooling) for task in tasks}

    right = {task.name: answer_numbers([row["completion"] for row in task.test]) for task in tasks}
    return baselines(features("train"), answers, features("test"), right)


def _pooled(states: Features, pooling: str) -> Features:
    half = states.shape[1] // 2
    return {"mean": states[:, :half], "last": states[:, half:], "mean+last": states}[pooling]
