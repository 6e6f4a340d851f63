"""An update's log: JSON lines in its folder, for people. Written as work goes on; a torn last line is skipped."""

import json
from pathlib import Path
from typing import Any, Literal

from clm.core.clock import iso, now

Level = Literal["info", "warning", "error"]


def write(folder: Path, stage: str | None, message: str, level: Level = "info") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"at": iso(now()), "level": level, "stage": stage, "message": message}, ensure_ascii=False)
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read(folder: Path, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    """Lines after number `after` (1-based), each with its number `n`."""
    file = folder / "log.jsonl"
    lines: list[dict[str, Any]] = []
    if not file.exists():
        return lines
    with file.open(encoding="utf-8") as handle:
        for number, text in enumerate(handle, start=1):
            if number <= after:
                continue
            try:
                lines.append({"n": number, **json.loads(text)})
            except json.JSONDecodeError:
                continue
            if len(lines) == limit:
                break
    return lines
