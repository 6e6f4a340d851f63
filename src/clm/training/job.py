"""`python -m clm.training.job FOLDER`: a training as a process of its own.

Reads a `TrainingJob` from `job.json` (see `clm.jobs.training`).

Writes the expert, the task's router features and a router over all tasks to their content addresses, then
`result.json`; on the way `progress.jsonl`, and `error.json` with exit code 1 where it can't be done. Started again
after kill -9 it goes on from its checkpoint to the same hashes; started again after its end it returns at once.

Started by `accelerate launch`, all of its processes train and the main one does the rest.
"""

import sys
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from clm.core.locks import file_lock
from clm.errors import InvalidInput, TrainingFailed
from clm.formats.mixture import read_mixture
from clm.jobs.files import read_job, read_result, run_in_folder, write_result
from clm.jobs.job import Stored
from clm.jobs.progress import tell
from clm.jobs.training import TrainingJob, TrainingResult
from clm.training.launch import is_main


def run(folder: Path) -> TrainingResult | None:
    """Does the job in `folder` and returns its result; None in a process beside the main one."""
    # A process of an earlier attempt may still be dying. Of several processes the main one keeps others out for all.
    with file_lock(folder / "lock") if is_main() else nullcontext():
        if (done := read_result(folder, TrainingResult)) is not None:
            return done
        with _within_memory():
            result = _train(read_job(folder, TrainingJob), folder)
        if result is not None:
            write_result(folder, result)
        return result


def _train(job: TrainingJob, folder: Path) -> TrainingResult | None:
    report = _Report(folder)
    report.say("Loading the base")
    # Imported late, for torch takes seconds and the answer may be there already.
    from clm.llm.base import load_base_of
    from clm.llm.experts import load_expert, save_expert
    from clm.llm.router import save_features, save_router
    from clm.training.crossing import handed_over
    from clm.training.learning import learn
    from clm.training.part_job import plan
    from clm.training.parts import with_distillation
    from clm.training.routing import fit, load_seen
    from clm.training.states import load_state, save_state
    from clm.training.strategies.hooks import Lesson

    policy = job.policy
    missing = sorted(set(job.others) - set(job.other_features) - {job.task})
    if missing:
        raise InvalidInput(f"The router features of these tasks are missing: {', '.join(missing)}.")
    base = load_base_of(job)
    new, memory = read_examples(job.mixture)
    examples = [*new, *memory.get(job.task, ())]  # of this task
    kept = load_seen({**job.other_features, **({job.task: job.own_features} if job.own_features else {})})
    way = plan(job, folder, base, new, memory.get(job.task, ()), kept)
    if way.replay is not None:
        memory[job.task] = list(way.replay)
    replayed = sum(map(len, memory.values()))
    report.say(f"Training on {len(new) + replayed} examples. {way.reason}".rstrip())
    old = load_expert(way.old.path, base, way.old.hash) if way.old else None
    other = load_expert(way.start, base) if way.start and not way.old else None
    state = load_state(way.state) if way.state else {}
    lesson = Lesson(base, job.task, new, memory, old, state, start=other, drawn=True)
    if way.tutors:
        experts = {stored.hash: load_expert(stored.path, base, stored.hash) for stored in way.tutors.values()}
        lesson = replace(lesson, tutors={row: experts[stored.hash] for row, stored in way.tutors.items()})
        policy = with_distillation(policy)
    if way.choice and way.choice.kind == "refresh":
        policy = policy.refreshing()
    trained = learn(lesson, policy, folder / "checkpoints", report.step)
    if not is_main():
        return None
    expert = Stored(*save_expert(trained.expert, base.hash, job.artifacts.experts))
    described = _describe(job, base, examples, trained.expert, folder / "rows.parquet", report)
    report.say("Fitting the router")
    after = {name: seen for name, seen in kept.items() if name not in way.merged} | {way.part: way.seen}
    router = fit(base, after, policy.seed, policy.strategies)
    handed = handed_over(base, kept, after, way.part, policy, router)
    result = TrainingResult(
        expert=expert,
        features=Stored(*save_features(way.seen, job.artifacts.features)),
        router=Stored(*save_router(router, job.artifacts.routers)),
        steps=trained.steps,
        tokens=trained.tokens,
        seconds=round(trained.seconds, 3),
        final_loss=trained.final_loss,
        notes={**trained.notes, "handed": handed},
        described=described,
        state=save_state(trained.state, job.artifacts.states),
        transfer=way.transfer.record() if way.transfer else None,
        part=way.part,
        merged=way.merged,
        choice=way.choice.record() if way.choice else None,
    )
    report.say(f"Trained in {trained.seconds:.0f} s, {trained.tokens} tokens, last loss {trained.final_loss:.3f}")
    return result


def _describe(
    job: TrainingJob, base: Any, examples: list[Any], expert: Any, out: Path, report: "_Report"
) -> Path | None:
    need = job.memory_needs
    if need is None:
        return None
    from clm.training.rows import describe_rows

    report.say(f"Measuring the rows' {need} for the replay memory")
    return describe_rows(base, examples, expert, out, need=need, max_tokens=job.policy.max_tokens)


def read_examples(path: Path) -> tuple[list[Any], dict[str, list[Any]]]:
    """New examples of a mixture, and replayed ones by task."""
    from clm.training.examples import Example

    new: list[Any] = []
    replayed: dict[str, list[Any]] = {}
    for row in read_mixture(path):
        example = Example(row.record_id, row.shape, row.content)
        (new if row.origin == "new" else replayed.setdefault(row.task, [])).append(example)
    return new, replayed


class _Report:
    """Tells the main process's progress; sentences carry the numbers of the last step along."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: dict[str, Any] = dict.fromkeys(("step", "steps", "loss", "tokens_per_second", "eta_seconds"))
        self._last.update(step=0, steps=0)

    def step(self, progress: Any) -> None:
        self._last = {
            "step": progress.step, "steps": progress.steps, "loss": round(progress.loss, 4),
            "tokens_per_second": round(progress.tokens_per_second, 1),
            "eta_seconds": None if progress.eta_seconds is None else round(progress.eta_seconds, 1),
        }  # fmt: skip
        self.say(progress.sentence)

    def say(self, message: str) -> None:
        if is_main():
            tell(self._folder, "train", {**self._last, "message": message})


@contextmanager
def _within_memory() -> Generator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch says RuntimeError where it can't allocate
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        raise TrainingFailed(
            "The machine's memory is full. Lower training.batch_size or training.max_tokens in the policy."
        ) from error


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
