"""What the gate compares of an evaluation's answers, and what the parity check repeats."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from clm.core.files import read_json
from clm.evaluation.comparison import ExampleScore
from clm.evaluation.doubt import Answered
from clm.evaluation.slices import RECALL
from clm.formats.answers import AnswerRow, read_answers
from clm.formats.suites import read_suites
from clm.records import BASE, Json, Shape


@dataclass(frozen=True)
class Probe:
    """A prompt with the answer that was evaluated: what serves the release must answer exactly this."""

    shape: Shape
    content: Json
    max_new_tokens: int
    answer: str
    routed: str


def example_scores(path: Path) -> dict[str, list[ExampleScore]]:
    """By task, from an answers file, as the gate takes them."""
    scores: dict[str, list[ExampleScore]] = {}
    for row in read_answers(path):
        scores.setdefault(row.task, []).append(scored(row))
    return scores


def scored(row: AnswerRow) -> ExampleScore:
    """What the gate needs of an answer."""
    return ExampleScore(row.example_id, row.score, row.likelihood, row.expert_hash or BASE, row.slice, row.kind,
                        row.stale)  # fmt: skip


def held_out(path: Path, task: str, newest_old: int) -> list[Answered]:
    """A task's held-out examples from an answers file; those of slices above `newest_old` are new."""
    return [Answered(row.reference.strip(), row.score, row.slice > newest_old)
            for row in read_answers(path) if row.task == task and row.kind != RECALL]  # fmt: skip


def has_answers(folder: Path, composition: str = "candidate") -> bool:
    """Whether an evaluation's folder holds what was answered."""
    return (folder / f"answers-{composition}.parquet").exists()


def probes(folder: Path, count: int, composition: str = "candidate") -> list[Probe]:
    """Up to `count` generated answers of an evaluation's folder, tasks in turn; empty if there is none."""
    if not has_answers(folder, composition):
        return []
    file = folder / f"answers-{composition}.parquet"
    suites = read_suites(Path(read_json(folder / "job.json")["suites"]))
    asked = {(task, e.example_id): e for task, examples in suites.items() for e in examples}
    in_turn: list[tuple[int, str, AnswerRow]] = []
    seen: Counter[str] = Counter()
    for row in read_answers(file):
        if row.answer is not None:
            in_turn.append((seen[row.task], row.task, row))
            seen[row.task] += 1
    in_turn.sort(key=lambda each: each[:2])
    drawn: list[Probe] = []
    for _, task, row in in_turn[:count]:
        example = asked[task, row.example_id]
        drawn.append(Probe(example.shape, example.content, row.max_new_tokens or 1, row.answer or "", row.routed))
    return drawn
