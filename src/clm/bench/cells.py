"""What cells have in common: a process of its own that tells, line by line, what it does."""

import sys
from collections.abc import Callable
from pathlib import Path

from clm.errors import ClmError
from clm.training.loop import Progress

EVERY = 10  # steps between two lines


class Steps:
    """Tells how far a training is. `name`: of what is learned."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, progress: Progress) -> None:
        if progress.step % EVERY == 0 or progress.step == progress.steps:
            of = f" of {progress.steps}" if progress.steps else ""  # a training may find out on the way
            say(f"{self._name}: step {progress.step}{of}, loss {progress.loss:.3f}, "
                f"{progress.tokens_per_second:.0f} tokens/s")  # fmt: skip


def say(message: str) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


def run(cell: Callable[[Path], None]) -> int:
    """Of the folder that the command line names. The last line is what the benchmark passes on."""
    try:
        cell(Path(sys.argv[1]))
    except ClmError as error:
        say(error.sentence)
        return error.exit_code
    return 0
