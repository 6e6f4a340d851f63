"""`python -m clm.evaluation.job FOLDER`: an evaluation as a process of its own.

Reads an `EvaluationJob` from `job.json` (see `clm.jobs.evaluation`). Writes `answers-<name>.parquet` per composition
and `result.json`; on the way `progress.jsonl`, and `error.json` with exit code 1 where it can't be done. Started again
after a crash it goes on with the answers that it had; started again after its end it returns at once.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from clm.errors import InvalidInput
from clm.evaluation.answer_store import AnswerStore
from clm.evaluation.answers import example_scores, scored
from clm.evaluation.comparison import clearly_worse
from clm.evaluation.evaluator import Candidate, Enough, Evaluator
from clm.evaluation.judge import Judge
from clm.evaluation.lazy_model import LazyModel
from clm.evaluation.metrics import JUDGE
from clm.evaluation.scores import task_scores
from clm.formats.answers import AnswerRow, write_answers
from clm.formats.suites import read_suites
from clm.jobs.evaluation import Answered, EarlyStop, EvaluationJob, EvaluationResult
from clm.jobs.files import run_in_folder, run_once
from clm.jobs.progress import tell


def run(folder: Path) -> EvaluationResult:
    """Does the job in `folder` and returns its result."""
    return run_once(folder, EvaluationJob, EvaluationResult, _evaluate)


def _evaluate(job: EvaluationJob, folder: Path) -> EvaluationResult:
    suites = read_suites(job.suites)
    answered: dict[str, Answered] = {}
    compute = job.compute
    # A base in another type gives other answers; none of them is taken for one of this type.
    answers_dir = job.artifacts.answers / ("" if compute.dtype == "float32" else compute.dtype)
    with AnswerStore(answers_dir, job.base) as store:
        model = LazyModel(job.base_path, compute.threads, compute.device, compute.dtype)
        judge = _judge_of(job)
        evaluator = Evaluator(model, store, suites, job.metrics, job.max_new_tokens, _Progress(folder), judge)
        for name in sorted(job.compositions, key=lambda name: (name != "champion", name)):
            parts = job.compositions[name]
            candidate = Candidate(parts.experts, parts.router)
            enough = None
            if name == "candidate" and job.early_stop:
                enough = _clearly_worse(job.early_stop, answered["champion"].answers)
            rows = evaluator.evaluate(candidate, parts.tasks, enough, parts.likelihoods)
            answers = write_answers(rows, folder / f"answers-{name}.parquet")
            answered[name] = Answered(
                task_scores(rows, suites, job.metrics, candidate, judge.pin if judge else None), answers
            )
    return EvaluationResult(compositions=answered, judge_trouble=judge.error if judge else None)


def _judge_of(job: EvaluationJob) -> Judge | None:
    if job.judge is not None:
        return Judge(job.judge, job.artifacts.answers / "verdicts.db")
    judged = sorted(task for task, metric in job.metrics.items() if metric == JUDGE)
    if judged:
        raise InvalidInput(
            f"Task {judged[0]!r} is scored by a judge, and none is set. "
            "Name one in config.yaml: judge_url and judge_model."
        )
    return None


def _clearly_worse(rule: EarlyStop, champion_answers: Path) -> Enough:
    """Asks what the gate would say to the answers so far."""
    champion = example_scores(champion_answers)

    def enough(task: str, rows: Sequence[AnswerRow]) -> bool:
        ours = [scored(row) for row in rows]
        return clearly_worse(ours, champion.get(task, []), rule.margins[task], rule.confidence, rule.claims)

    return enough


class _Progress:
    """Tells each answered chunk; `steps` grows as missing answers are found."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        seconds = time.monotonic() - self._started
        tell(self._folder, "evaluate", {
            "step": done, "steps": total, "loss": None, "tokens_per_second": None,
            "eta_seconds": round(seconds / done * (total - done), 1), "message": f"{done} of {total} examples answered",
        })  # fmt: skip


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
