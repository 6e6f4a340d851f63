"""`python -m clm.evaluation.job FOLDER`: an evaluation as a process of its own.

Reads `job.json`:

    base, base_hash           folder of the base and its hash
    compositions              {name: {"experts": {task: {"hash", "path"}}, "router": {"hash", "path"} | null,
                               "tasks": [the suites to answer] | absent for all}}
    suites                    Parquet file, see clm.evaluation.suites
    metrics                   {task: metric}
    max_new_tokens, answers_dir, threads, device, dtype
    early_stop                null, or {"margins": {task: margin}, "confidence", "claims"}: stop answering a task for
                              the composition "candidate" once it is clearly worse than "champion";
                              `claims` is the number of comparisons that the gate will make

Writes `answers-<name>.parquet` per composition and `result.json`, `{name: {"scores": {task: TaskScore}, "answers"}}`;
on the way `progress.jsonl`, and `error.json` with exit code 1 where it can't be done. Started again after a crash it
goes on with the answers that it had; started again after its end it returns at once.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from clm.core.clock import iso, now
from clm.core.files import read_json, write_json
from clm.core.hashing import canonical_json
from clm.core.job import run_in_folder
from clm.evaluation.answer_store import AnswerStore
from clm.evaluation.answers import AnswerRow, example_scores, write_answers
from clm.evaluation.comparison import ExampleScore, clearly_worse
from clm.evaluation.evaluator import Candidate, Enough, Evaluator, Stored, task_scores
from clm.evaluation.lazy_model import LazyModel
from clm.evaluation.suites import read_suites


def run(folder: Path) -> dict[str, Any]:
    """Does the job in `folder` and returns its result."""
    result_file = folder / "result.json"
    if result_file.exists():
        return read_json(result_file)
    job = read_json(folder / "job.json")
    suites = read_suites(Path(job["suites"]))
    result: dict[str, Any] = {}
    dtype = job.get("dtype", "float32")
    # A base in another type gives other answers; none of them is taken for one of this type.
    answers_dir = Path(job["answers_dir"]) / ("" if dtype == "float32" else dtype)
    with AnswerStore(answers_dir, job["base_hash"]) as store:
        evaluator = Evaluator(
            LazyModel(Path(job["base"]), job["threads"], job.get("device", "cpu"), dtype),
            store,
            suites,
            job["metrics"],
            job["max_new_tokens"],
            _Progress(folder / "progress.jsonl"),
        )
        for name in sorted(job["compositions"], key=lambda name: (name != "champion", name)):
            parts = job["compositions"][name]
            candidate = _candidate(parts)
            enough = _clearly_worse(job, result) if name == "candidate" and job.get("early_stop") else None
            rows = evaluator.evaluate(candidate, parts.get("tasks"), enough)
            answers = write_answers(rows, folder / f"answers-{name}.parquet")
            scores = task_scores(rows, suites, job["metrics"], candidate)
            result[name] = {"scores": {task: asdict(score) for task, score in scores.items()}, "answers": str(answers)}
    write_json(result_file, result)
    return result


def _clearly_worse(job: dict[str, Any], result: dict[str, Any]) -> Enough:
    """Asks what the gate would say to the answers so far."""
    rule = job["early_stop"]
    champion = example_scores(Path(result["champion"]["answers"]))

    def enough(task: str, rows: Sequence[AnswerRow]) -> bool:
        ours = [ExampleScore(row.example_id, row.score) for row in rows]
        return clearly_worse(ours, champion.get(task, []), rule["margins"][task], rule["confidence"], rule["claims"])

    return enough


def _candidate(parts: dict[str, Any]) -> Candidate:
    experts = {task: Stored(part["hash"], Path(part["path"])) for task, part in parts["experts"].items()}
    router = parts["router"]
    return Candidate(experts, Stored(router["hash"], Path(router["path"])) if router else None)


class _Progress:
    """Adds a line per answered chunk; `steps` grows as missing answers are found."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._started = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        seconds = time.monotonic() - self._started
        line = {"at": iso(now()), "stage": "evaluate", "step": done, "steps": total, "loss": None,
                "tokens_per_second": None, "eta_seconds": round(seconds / done * (total - done), 1),
                "message": f"{done} of {total} examples answered"}  # fmt: skip
        with self._path.open("a", encoding="utf-8") as file:
            file.write(canonical_json(line) + "\n")


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
