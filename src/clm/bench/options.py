"""What can be set for each benchmark. The command line is made from this, so a name, default and bound stand once.

Free of torch and pydantic: the command line reads it at every start.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from clm.errors import InvalidInput

EMBEDDED_BASE = "smollm2-135m-instruct"
TINY_BASE = "tiny"  # written by the benchmark itself: random weights, for trying things out
THREADS = min(os.cpu_count() or 1, 8)


def says(help: str, minimum: float | None = None) -> dict[str, Any]:
    return {"help": help, "minimum": minimum}


@dataclass(frozen=True, kw_only=True)
class Options:
    def __post_init__(self) -> None:
        for each in fields(self):
            minimum, value = each.metadata["minimum"], getattr(self, each.name)
            for number in value if isinstance(value, tuple) else (value,):
                if minimum is not None and number is not None and number < minimum:
                    raise InvalidInput(f"{flag(each.name)} is {number}; {minimum} is the least.", field=each.name)

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """From plain values, as the command line or JSON has them: paths are words, lists are `a,b`."""
        return cls(**{each.name: _typed(each.name, each.type, given[each.name])
                      for each in fields(cls) if each.name in given})  # fmt: skip

    def plain(self) -> dict[str, Any]:
        """What `read` takes; goes through JSON."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, Path) else value


def _typed(name: str, kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind in (Path, Path | None):
        return Path(value).expanduser()
    if kind not in (tuple[str, ...], tuple[int, ...]):
        return value
    words = [word.strip() for word in str(value).split(",") if word.strip()]
    if kind == tuple[str, ...]:
        return tuple(words)
    try:
        return tuple(map(int, words))
    except ValueError:
        raise InvalidInput(f"{flag(name)} takes whole numbers, such as 1,2,3, not {value!r}.", field=name) from None


@dataclass(frozen=True, kw_only=True)
class ContinualOptions(Options):
    data: Path = field(default=Path("data"), metadata=says("folder of the data sets"))
    sequence: tuple[str, ...] = field(
        default=("agnews", "SST-2", "bitext", "FOMC"), metadata=says("data sets, in the order of learning")
    )
    strategies: tuple[str, ...] = field(
        default=("finetune", "replay", "experts", "joint"), metadata=says("what to compare")
    )
    train: int = field(default=160, metadata=says("training rows per task", 1))
    test: int = field(default=100, metadata=says("test rows per task", 1))
    dev: int = field(default=0, metadata=says("development rows per task, taken from the training rows", 0))
    seeds: tuple[int, ...] = field(
        default=(1,), metadata=says("of the draws and of the training; each is one more run", 0)
    )
    transfer: int = field(
        default=1, metadata=says("1: a new expert may start from the most similar one, as in an update; 0: fresh", 0)
    )
    epochs: int = field(default=0, metadata=says("passes over a task's rows; 0: as the policy's default decides", 0))
    batch_size: int = field(default=4, metadata=says("rows per step", 1))
    learning_rate: float = field(default=1e-3, metadata=says("peak; it warms up, and falls at the end", 1e-9))
    base: str = field(
        default=EMBEDDED_BASE, metadata=says(f"name of a base, or its folder; {TINY_BASE}: random weights")
    )
    keep: Path | None = field(
        default=None, metadata=says("folder of finished cells, to go on from; none: in CLM's home")
    )
    dtype: str = field(default="float32", metadata=says("of the base's weights: float32 or bfloat16"))
    device: str = field(default="cpu", metadata=says("that learns and answers: cpu or cuda"))
    threads: int = field(default=THREADS, metadata=says("CPU threads", 1))


@dataclass(frozen=True, kw_only=True)
class WithinOptions(Options):
    data: Path = field(default=Path("data"), metadata=says("folder of the data sets"))
    set: str = field(default="banking77", metadata=says("banking77, clinc150, a part of one, or a folder with classes"))
    deliveries: int = field(default=7, metadata=says("in which the classes come, one after the other", 2))
    strategies: tuple[str, ...] = field(default=("experts", "replay", "joint"), metadata=says("what to compare"))
    train: int = field(default=600, metadata=says("training rows per delivery", 1))
    test: int = field(default=100, metadata=says("test rows per delivery", 1))
    memory: int = field(default=2000, metadata=says("rows of the whole task that are kept for replay", 0))
    most_parts: int = field(default=8, metadata=says("experts of the task, at most", 1))
    seeds: tuple[int, ...] = field(default=(1,), metadata=says("of the draws and of the training", 0))
    epochs: int = field(default=0, metadata=says("passes over the rows; 0: as the policy's default decides", 0))
    batch_size: int = field(default=4, metadata=says("rows per step", 1))
    learning_rate: float = field(default=1e-3, metadata=says("peak; linear warm-up, then a cosine", 1e-9))
    base: str = field(
        default=EMBEDDED_BASE, metadata=says(f"name of a base, or its folder; {TINY_BASE}: random weights")
    )
    keep: Path | None = field(
        default=None, metadata=says("folder of finished deliveries, to go on from; none: in CLM's home")
    )
    dtype: str = field(default="float32", metadata=says("of the base's weights: float32 or bfloat16"))
    device: str = field(default="cpu", metadata=says("that learns and answers: cpu or cuda"))
    threads: int = field(default=THREADS, metadata=says("CPU threads", 1))


@dataclass(frozen=True, kw_only=True)
class ConflictOptions(Options):
    data: Path = field(default=Path("data"), metadata=says("folder of the data sets"))
    set: str = field(default="bitext", metadata=says("a data set with classes, or a folder of your own with them"))
    refreshes: int = field(default=10, metadata=says("updates of the task after its first one", 1))
    first: int = field(default=270, metadata=says("training rows of the first update", 1))
    rows: int = field(default=54, metadata=says("new rows of each refresh, and of each bad delivery", 2))
    test: int = field(default=270, metadata=says("test rows, which the product never sees", 1))
    changed: float = field(default=0.2, metadata=says("share of the labels that are renamed, merged or swapped", 0))
    bad: int = field(default=5, metadata=says("deliveries with wrong answers, spread among the refreshes", 0))
    seed: int = field(default=1, metadata=says("of the draws and of the trainings", 0))
    epochs: int = field(default=0, metadata=says("passes over the rows; 0: as the policy's default decides", 0))
    learning_rate: float = field(default=1e-3, metadata=says("peak; linear warm-up, then a cosine", 1e-9))
    base: str = field(
        default=EMBEDDED_BASE, metadata=says(f"name of a base, or its folder; {TINY_BASE}: random weights")
    )
    home: Path | None = field(
        default=None, metadata=says("folder for the installation that is measured; none: a temporary one")
    )
    dtype: str = field(default="float32", metadata=says("of the base's weights: float32 or bfloat16"))
    device: str = field(default="cpu", metadata=says("that learns and answers: cpu or cuda"))
    threads: int = field(default=THREADS, metadata=says("CPU threads", 1))


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(Options):
    data: Path | None = field(
        default=None, metadata=says("folder of the data sets; none: sentences that the benchmark writes itself")
    )
    sequence: tuple[str, ...] = field(default=("agnews",), metadata=says("data sets in --data; their rows are mixed"))
    train: int = field(default=160, metadata=says("training rows; rounded down to whole batches", 8))
    test: int = field(default=60, metadata=says("held-out rows whose loss is compared", 1))
    epochs: int = field(default=3, metadata=says("passes over the rows", 1))
    batch_size: int = field(default=8, metadata=says("rows per step", 1))
    rank: int = field(default=16, metadata=says("LoRA rank", 1))
    alpha: float = field(default=32.0, metadata=says("LoRA scale numerator", 0.1))
    learning_rate: float = field(default=5e-4, metadata=says("peak; linear warm-up, then a cosine", 1e-9))
    repeats: int = field(default=1, metadata=says("runs of each side, in turn; the median counts", 1))
    seed: int = field(default=1, metadata=says("of rows, first weights and order", 0))
    base: str = field(
        default=EMBEDDED_BASE, metadata=says(f"name of a base, or its folder; {TINY_BASE}: random weights")
    )
    threads: int = field(default=THREADS, metadata=says("CPU threads", 1))


@dataclass(frozen=True, kw_only=True)
class GrowthOptions(Options):
    updates: int = field(default=50, metadata=says("updates in a row, each with a new task", 2))
    rows: int = field(default=48, metadata=says("new rows per update", 8))
    suite: int = field(default=24, metadata=says("held-out rows per task", 8))
    epochs: int = field(default=6, metadata=says("passes over a task's rows", 1))
    compared: int = field(default=3, metadata=says("first and last updates whose medians are compared", 1))
    base: str = field(default=TINY_BASE, metadata=says(f"name of a base, or its folder; {TINY_BASE}: random weights"))
    home: Path | None = field(
        default=None, metadata=says("folder for the installation that is measured; none: a temporary one")
    )
    threads: int = field(default=THREADS, metadata=says("CPU threads", 1))


@dataclass(frozen=True, kw_only=True)
class RouterOptions(Options):
    data: Path = field(default=Path("data"), metadata=says("folder of the data sets"))
    sequence: tuple[str, ...] = field(
        default=("agnews", "SST-2", "bitext", "FOMC"), metadata=says("data sets; each is a task to route to")
    )
    train: int = field(default=160, metadata=says("rows per task that the router is fitted on, at most", 1))
    dev: int = field(default=60, metadata=says("rows per task that a variant is chosen on", 1))
    test: int = field(default=100, metadata=says("rows per task that are reported", 1))
    layers: tuple[int, ...] = field(
        default=(5, 10, 12, 15, 18, 22), metadata=says("layers whose states are compared", 1)
    )
    amounts: tuple[int, ...] = field(default=(25, 50, 100), metadata=says("smaller amounts of rows to fit on", 1))
    seed: int = field(default=1, metadata=says("of the draws", 0))
    base: str = field(
        default=EMBEDDED_BASE, metadata=says(f"name of a base, or its folder; {TINY_BASE}: random weights")
    )
    threads: int = field(default=THREADS, metadata=says("CPU threads", 1))


@dataclass(frozen=True, kw_only=True)
class GateOptions(Options):
    margin: float = field(default=0.05, metadata=says("tolerated loss, in score points of [0, 1]", 0.001))
    confidence: float = field(default=0.95, metadata=says("of the gate, one-sided", 0.5))
    churn: float = field(default=0.03, metadata=says("share of answers that an update turns round, either way", 0))
    least: int = field(default=20, metadata=says("smallest suite whose exact size is looked at", 1))
    most: int = field(default=400, metadata=says("largest such suite", 1))
    step: int = field(default=4, metadata=says("between such suites; 1: every one, some minutes", 1))
    sizes: tuple[int, ...] = field(default=(60, 80, 120, 200), metadata=says("examples per task of drawn updates", 2))
    tasks: tuple[int, ...] = field(default=(1, 3, 6), metadata=says("tasks that have to pass together", 1))
    draws: int = field(default=600, metadata=says("updates that are drawn for each figure", 10))
    seed: int = field(default=1, metadata=says("of the draws", 0))
