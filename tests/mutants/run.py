"""Plants the faults of `mutants.py` one by one, each in a copy of `src/clm`, and runs the tests that must notice.

    python tests/mutants/run.py [-k WORDS]

caught     a named test failed, by what it asserts or by an error of the product
survived   all named tests passed: one is missing
broken     nothing was shown: the text isn't there once, the copy can't be run, nothing was collected, time was up
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

from mutants import MUTANTS, ROOT, SOURCE, Mutant

Outcome = Literal["caught", "survived", "broken"]

SECONDS = 120.0  # for one mutant's tests
ALL_SECONDS = 600.0  # for all named tests at once, without a fault
PASSED, FAILED = 0, 1  # what pytest exits with
# A copy that can't be run says nothing about the tests.
NO_RUN = ("NameError", "SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError")


def main(arguments: Sequence[str] | None = None) -> int:
    about, _, outcomes = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=outcomes, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-k", default="", metavar="WORDS", help="only mutants with these words in name or file")
    wanted = parser.parse_args(arguments).k.lower()
    chosen = [mutant for mutant in MUTANTS if wanted in f"{mutant.name} {mutant.file}".lower()]
    if not chosen:
        parser.error(f"No mutant has {wanted!r} in its name or file.")
    begun = time.monotonic()
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    outcome, why = _run(tests, SOURCE, ALL_SECONDS)
    if outcome != "survived":
        print(f"Without a fault the named tests must pass, and they don't: {why}", file=sys.stderr)
        return 1
    print(f"Without a fault the named tests pass ({time.monotonic() - begun:.0f} s).")
    found: list[tuple[Mutant, Outcome, str]] = []
    started = time.monotonic()
    for number, mutant in enumerate(chosen, start=1):
        found.append((mutant, *try_mutant(mutant)))
        left = (time.monotonic() - started) / number * (len(chosen) - number)
        print(f"[{number}/{len(chosen)}, {left:.0f} s left] {found[-1][1]}: {mutant.name} ({found[-1][2]})", flush=True)
    counts = Counter(outcome for _, outcome, _ in found)
    told = {
        "mutants": len(found),
        **{name: counts[name] for name in ("caught", "survived", "broken")},
        "not_caught": [mutant.name for mutant, outcome, _ in found if outcome != "caught"],
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(told))
    return int(counts["caught"] < len(found))


def try_mutant(mutant: Mutant) -> tuple[Outcome, str]:
    """What became of it, and which test or trouble says so."""
    try:
        text = mutant.applied()
        compile(text, mutant.file, "exec")
    except (ValueError, OSError, SyntaxError) as error:
        return "broken", str(error)
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "src"
        shutil.copytree(SOURCE / "clm", copy / "clm", ignore=shutil.ignore_patterns("__pycache__", "dashboard"))
        (copy / "clm" / mutant.file).write_text(text, encoding="utf-8")
        return _run(mutant.tests, copy, SECONDS, "-x")


def _run(tests: Iterable[str], source: Path, seconds: float, *options: str) -> tuple[Outcome, str]:
    """Runs tests against the package in `source`, in a process of their own."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        report = Path(folder) / "report.xml"
        paths = [f"tests/{test}" for test in tests]
        command = [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", f"--basetemp={folder}/t", *paths]
        environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=seconds, capture_output=True, text=True, check=False
            )
        except subprocess.TimeoutExpired:
            return "broken", f"not done in {seconds:.0f} s"
        if done.returncode not in (PASSED, FAILED) or not report.exists():
            return "broken", f"pytest ended with {done.returncode}: {' '.join(done.stdout[-300:].split())}"
        return judged(report)


def judged(report: Path) -> tuple[Outcome, str]:
    """What the tests' report says of the fault."""
    cases = list(ET.parse(report).getroot().iter("testcase"))
    for case in cases:
        trouble = case.find("error")
        if trouble is not None:
            return "broken", f"{case.get('name')}: {trouble.get('message')}"
    for case in cases:
        failure = case.find("failure")
        if failure is not None:
            message = str(failure.get("message"))
            noticed = not message.startswith(NO_RUN)
            where = f"{str(case.get('classname')).rpartition('.')[2]}::{case.get('name')}"
            return ("caught", where) if noticed else ("broken", f"{where}: {message[:200]}")
    ran = sum(case.find("skipped") is None for case in cases)
    return ("survived", f"{ran} tests passed") if ran else ("broken", "no test ran")


if __name__ == "__main__":
    sys.exit(main())
