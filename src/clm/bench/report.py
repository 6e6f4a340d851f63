"""A benchmark's result as one line of JSON, with what it takes to compare it with another one."""

import importlib.metadata
import json
import math
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from clm.bench.options import Options
from clm.core.clock import iso, now

DIGITS = 6  # that are kept of a figure


def result(name: str, options: Options, figures: dict[str, Any]) -> dict[str, Any]:
    threads = getattr(options, "threads", None)
    return {"benchmark": name, "date": iso(now()), "commit": commit(), "machine": machine(threads),
            "options": options.plain(), **_rounded(figures)}  # fmt: skip


def as_line(report: dict[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, allow_nan=False)


def commit() -> str | None:
    """Of the working tree that this package runs from, with `+` where it was changed; None elsewhere."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", Path(__file__).parent, *arguments],
                               capture_output=True, text=True, check=True, timeout=30)  # fmt: skip
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def machine(threads: int | None) -> dict[str, Any]:
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = None
    return {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version(),
            "torch": torch, "threads": threads}  # fmt: skip


def _rounded(value: Any) -> Any:
    """JSON has no NaN: a figure that does not exist is null."""
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
