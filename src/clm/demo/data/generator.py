"""Draws the demo's files from the wordings, seeded, no prompt twice."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clm.core.files import write_bytes
from clm.demo.data import details, facts, intent

SIZES = {"train": 192, "heldout": 72, "flipped": 120, "traffic": 60}  # rows per task
SIZES_CHANGED = {"changed": 12, "changed-heldout": 6}  # rows about the fact that changes
AUTHOR = "CLM demo data"  # in every row, so that it can always be told apart
_SEED = 2026


@dataclass(frozen=True)
class Example:
    task: str
    prompt: str
    completion: str
    fact: str | None = None  # what the record is about, where an answer can change


_Draw = Callable[[random.Random, int, bool], tuple[str, str]]
_DRAWS: dict[str, _Draw] = {"intent": intent.example, "details": details.example, "facts": facts.example}
TASKS = tuple(_DRAWS)


def demo_data() -> dict[str, list[Example]]:
    """By file: "<task>-train", "<task>-heldout", "intent-flipped" (labels exchanged), "facts-changed" and
    "facts-changed-heldout" (one fact, with its new answer) and "traffic" (all tasks).

    The first three share no prompt. Traffic may repeat a prompt, as customers do, and so may what changed.
    """
    files: dict[str, list[Example]] = {}
    traffic: list[Example] = []
    for task in TASKS:
        taken: set[str] = set()
        files[f"{task}-heldout"] = _rows(task, "heldout", taken, unseen=True)
        files[f"{task}-train"] = _rows(task, "train", taken)
        if task == "intent":
            honest = _rows(task, "flipped", taken)
            files["intent-flipped"] = [Example(task, e.prompt, intent.flipped(e.completion)) for e in honest]
        traffic += _rows(task, "traffic", set(), unseen=True)
    files |= {f"facts-{kind}": _changed(kind, size) for kind, size in SIZES_CHANGED.items()}
    random.Random(_SEED).shuffle(traffic)
    files["traffic"] = traffic
    return files


def write(folder: Path) -> list[Path]:
    """Writes one JSONL file each and returns the paths. `traffic.jsonl` names the task too, for the client's scores."""
    paths: list[Path] = []
    for name, examples in demo_data().items():
        rows = [_row(example, with_task=name == "traffic") for example in examples]
        path = folder / f"{name}.jsonl"
        write_bytes(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
        paths.append(path)
    return paths


def _row(example: Example, with_task: bool) -> dict[str, str]:
    row = {"prompt": example.prompt, "completion": example.completion, "author": AUTHOR}
    row |= {"fact": example.fact} if example.fact else {}
    return {"task": example.task, **row} if with_task else row


def _rows(task: str, kind: str, taken: set[str], unseen: bool = False) -> list[Example]:
    """`SIZES[kind]` examples whose prompts are not in `taken`, which grows by them."""
    dice = random.Random(f"{_SEED} {task} {kind}")
    rows: list[Example] = []
    while len(rows) < SIZES[kind]:
        prompt, completion = _DRAWS[task](dice, len(rows), unseen)
        if prompt not in taken:
            taken.add(prompt)
            rows.append(Example(task, prompt, completion, facts.fact_of(len(rows)) if task == "facts" else None))
    return rows


def _changed(kind: str, size: int) -> list[Example]:
    dice = random.Random(f"{_SEED} facts {kind}")
    rows: dict[str, Example] = {}
    while len(rows) < size:
        prompt, completion = facts.changed(dice, unseen=kind == "changed-heldout")
        rows[prompt] = Example("facts", prompt, completion, facts.CHANGED)
    return list(rows.values())
