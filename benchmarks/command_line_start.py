"""How long does `clm --help` take? The design asks for less than half a second. Prints one JSON line."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 10
CLM = Path(sys.executable).with_name("clm")


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([CLM, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    seconds("--help")  # fills the file cache
    took = [seconds("--help") for _ in range(RUNS)]
    report = {"benchmark": "command_line_start", "runs": RUNS, "median_s": round(statistics.median(took), 3),
              "slowest_s": round(max(took), 3)}  # fmt: skip
    print(json.dumps(report))


if __name__ == "__main__":
    main()
