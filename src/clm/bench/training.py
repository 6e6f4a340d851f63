"""How fast is training beside TRL's SFTTrainer, at the same loss?

Both sides get the same base, token ids, first LoRA weights, batches in the same order, optimiser and learning rates,
and each runs in a process of its own, in turn. Then one judge, CLM's runtime, asks both adapters for the loss of the
same held-out rows. A token is a token of an example that was seen, prompt included, on both sides.
"""

import importlib.metadata
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clm.bench.bases import base_folder
from clm.bench.datasets import load_sequence
from clm.bench.options import TrainingOptions
from clm.bench.progress import Progress
from clm.bench.public_sets import Row
from clm.bench.sentences import synthetic_rows
from clm.core.files import read_json, write_json
from clm.core.process import spawn, stop, tail
from clm.errors import TrainingFailed, Unavailable
from clm.policies import TrainingPolicy

SIDES = ("clm", "trl")
LOOK_SECONDS = 0.5


def run(options: TrainingOptions, progress: Progress) -> dict[str, Any]:
    if importlib.util.find_spec("trl") is None:
        raise Unavailable(
            "This benchmark compares with TRL, which is not installed. Install it with: pip install 'clm[bench]' "
            "(in a checkout: .venv/bin/pip install -c constraints.txt -e '.[bench]')."
        )
    with tempfile.TemporaryDirectory(prefix="clm-training-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        train, held_out = rows(options)
        job = _prepare(options, train, folder)
        parts = len(SIDES) * options.repeats
        runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        progress.begin()
        for part in range(parts):
            side = SIDES[part % len(SIDES)]

            def show(share: float, side: str = side, part: int = part) -> None:
                progress.show((part + share) / parts, f"training with {side}")

            runs[side].append(_train(side, job, folder / f"{part}-{side}", options.threads, show))
        losses = _held_out_losses(job, held_out, {side: Path(runs[side][-1]["adapter"]) for side in SIDES})
    return figures(runs, losses)


def rows(options: TrainingOptions) -> tuple[list[Row], list[Row]]:
    """Training rows, in whole batches so that both sides' batches are equal, and held-out rows."""
    count = options.train - options.train % options.batch_size
    if options.data is None:
        drawn = synthetic_rows(count + options.test, options.seed)
        return drawn[:count], drawn[count:]
    share = len(options.sequence)
    tasks = load_sequence(options.data, options.sequence, -(-count // share), -(-options.test // share), options.seed)
    train = [row for group in zip(*(task.train for task in tasks), strict=True) for row in group]
    held_out = [row for group in zip(*(task.test for task in tasks), strict=True) for row in group]
    return train[:count], held_out[: options.test]


def figures(runs: dict[str, list[dict[str, Any]]], losses: dict[str, float]) -> dict[str, Any]:
    """`ratio`: CLM's tokens per second by TRL's. `loss_difference`: relative, of the held-out loss.

    `cpu_ratio` is the same per second of computing time, which does not depend on what else the machine does.
    """

    def side(name: str) -> dict[str, Any]:
        last = runs[name][-1]
        return {
            "tokens_per_second": statistics.median(each["tokens"] / each["seconds"] for each in runs[name]),
            "peak_memory_mb": last["peak_memory_mb"],
            "held_out_loss": losses[name],
            "training_losses": last["losses"],
            "steps": last["steps"],
            "tokens": last["tokens"],
            "seconds": [each["seconds"] for each in runs[name]],
            "cpu_seconds": [each["cpu_seconds"] for each in runs[name]],
        }

    clm, trl = side("clm"), side("trl")
    memory = clm["peak_memory_mb"], trl["peak_memory_mb"]
    return {
        "ratio": clm["tokens_per_second"] / trl["tokens_per_second"],
        "cpu_ratio": _per_cpu_second(runs["clm"]) / _per_cpu_second(runs["trl"]),
        "loss_difference": abs(losses["clm"] - losses["trl"]) / losses["trl"],
        "memory_ratio": memory[0] / memory[1] if None not in memory else None,
        "clm": clm,
        "trl": {**trl, "version": importlib.metadata.version("trl")},
    }


def _per_cpu_second(runs: list[dict[str, Any]]) -> float:
    return statistics.median(each["tokens"] / max(each["cpu_seconds"], 1e-9) for each in runs)


def _prepare(options: TrainingOptions, train: list[Row], folder: Path) -> Path:
    """Writes what both sides start from, and returns the file that describes it."""
    from clm.llm.base import load_base
    from clm.llm.experts import new_expert, save_expert

    base = load_base(base_folder(options.base, folder), options.threads)
    policy = TrainingPolicy(
        rank=options.rank, alpha=options.alpha, epochs=options.epochs, batch_size=options.batch_size,
        learning_rate=options.learning_rate, seed=options.seed,
    )  # fmt: skip
    first = new_expert(base, base.trunk_layers, options.rank, options.alpha, options.seed)
    job = folder / "job.json"
    write_json(job, {
        "base": str(base_folder(options.base, folder)), "threads": options.threads, "rows": train,
        "policy": policy.model_dump(mode="json"), "first": str(save_expert(first, base.hash, folder / "first")[1]),
    })  # fmt: skip
    return job


def _train(side: str, job: Path, folder: Path, threads: int, show: Callable[[float], None]) -> dict[str, Any]:
    environment = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
                   "HF_HOME": str(folder / "huggingface"), "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip
    log = folder / "process.log"
    child = spawn("clm.bench.training_side", side, str(job), str(folder), log=log, environment=environment)
    try:
        while child.poll() is None:
            time.sleep(LOOK_SECONDS)
            show(_share_done(folder / "progress"))
    finally:
        stop(child)
    if child.returncode:
        raise TrainingFailed(f"Training with {side} failed: {tail(log, lines=3) or 'without a word'}")
    return read_json(folder / "result.json")


def _share_done(file: Path) -> float:
    try:
        return float(file.read_text())
    except (OSError, ValueError):  # not there yet, or just being written
        return 0.0


def _held_out_losses(job: Path, held_out: list[Row], adapters: dict[str, Path]) -> dict[str, float]:
    """Mean natural-log loss per answer token, over rows."""
    from clm.core.hashing import sha256_folder
    from clm.llm.base import load_base
    from clm.llm.prompts import example_ids
    from clm.llm.runtime import Runtime

    described = read_json(job)
    runtime = Runtime(load_base(Path(described["base"]), described["threads"]))
    examples = [example_ids(runtime.base.tokenizer, "completion", row) for row in held_out]
    losses: dict[str, float] = {}
    for side, adapter in adapters.items():
        name = sha256_folder(adapter)
        runtime.load_expert(name, adapter)
        losses[side] = -float(runtime.log_likelihood(examples, name).mean())
    return losses
