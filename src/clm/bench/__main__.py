"""`python -m clm.bench NAME OPTIONS`: what `clm bench` starts, so that the command line itself needs no torch.

OPTIONS is JSON: the benchmark's options as plain words and numbers. Progress goes to standard error; the last and only
line on standard output is the result.
"""

import importlib
import json
import sys
from typing import Any

from clm.bench.catalogue import BENCHMARKS
from clm.bench.progress import Progress
from clm.bench.report import as_line, result
from clm.errors import ClmError, unknown_name


def measure(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Runs a benchmark in this process."""
    if name not in BENCHMARKS:
        raise unknown_name("benchmark", name, list(BENCHMARKS))
    benchmark = BENCHMARKS[name]
    options = benchmark.options.read(given)
    progress = Progress()
    try:
        figures = importlib.import_module(benchmark.module).run(options, progress)
    finally:
        progress.end()
    return result(name, options, figures)


def main(arguments: list[str]) -> int:
    name, given = arguments
    try:
        report = measure(name, json.loads(given))
    except ClmError as error:
        sys.stderr.write(f"{error.title}: {error.sentence}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(as_line(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
