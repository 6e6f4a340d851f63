"""The benchmarks by name. Free of torch: the command line reads it at every start."""

from dataclasses import dataclass

from clm.bench.options import (
    ConflictOptions,
    ContinualOptions,
    GateOptions,
    GrowthOptions,
    Options,
    RouterOptions,
    TrainingOptions,
    WithinOptions,
)


@dataclass(frozen=True)
class Benchmark:
    module: str  # has `run(options, progress) -> figures`
    options: type[Options]
    question: str


BENCHMARKS = {
    "continual": Benchmark(
        "clm.bench.continual", ContinualOptions,
        "How much does each strategy learn and forget on a sequence of data sets?",
    ),
    "within": Benchmark(
        "clm.bench.within", WithinOptions,
        "Does one task whose classes come one after the other keep the old ones, with how many experts?",
    ),
    "conflict": Benchmark(
        "clm.bench.conflict", ConflictOptions,
        "When a task's labels are renamed, merged and swapped on the way: is the new learned and the rest kept?",
    ),
    "training": Benchmark(
        "clm.bench.training", TrainingOptions,
        "How fast is training beside TRL's SFTTrainer, at the same loss?",
    ),
    "growth": Benchmark(
        "clm.bench.growth", GrowthOptions,
        "Does an update get slower or larger as tasks pile up?",
    ),
    "router": Benchmark(
        "clm.bench.router", RouterOptions,
        "From which states, and from how many rows, does the router find a prompt's task best?",
    ),
    "gate": Benchmark(
        "clm.bench.gate", GateOptions,
        "How often does the gate pass what lost, and what did not?",
    ),
}  # fmt: skip
