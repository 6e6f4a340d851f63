"""`python -m clm.training.job FOLDER`: a training as a process of its own.

Reads `job.json`:

    base, base_hash           folder of the base and its hash
    task, mixture             Parquet: record_id, task, shape, content (JSON), origin
    policy                    TrainingPolicy
    init_expert               folder of the expert to go on from | null
    state                     file of what the adapter's strategies remember | null
    transfer, transfer_from   TransferPolicy, {task: expert folder}: where an expert may start that has none before it
    other_experts             {task: hash} of the candidate's other experts
    other_features            {task: file} of their router features
    own_features              file of the task's router features so far | null
    memory_needs              what the memory policy goes by: "losses" | "features" | null
    experts_dir, features_dir, routers_dir, states_dir, threads, device, dtype

Writes the expert, the task's router features and a router over all tasks to their content addresses, then
`result.json`; on the way `progress.jsonl`, and `error.json` with exit code 1 where it can't be done. Started again
after kill -9 it goes on from its checkpoint to the same hashes; started again after its end it returns at once.

Started by `accelerate launch`, all of its processes train and the main one does the rest.
"""

import json
import random
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from clm.core.clock import iso, now
from clm.core.files import read_json, write_json
from clm.core.hashing import canonical_json
from clm.core.job import run_in_folder
from clm.core.locks import file_lock
from clm.errors import InvalidInput, TrainingFailed
from clm.policies import TrainingPolicy
from clm.training.launch import is_main

ROUTER_ROWS = 400  # prompts of a task that the router learns from, at most


def run(folder: Path) -> dict[str, Any]:
    """Does the job in `folder` and returns its result."""
    # A process of an earlier attempt may still be dying. Of several processes the main one keeps others out for all.
    with file_lock(folder / "lock") if is_main() else nullcontext():
        if (folder / "result.json").exists():
            return read_json(folder / "result.json")
        job = read_json(folder / "job.json")
        result = _train(job, folder)
        if is_main():
            write_json(folder / "result.json", result)
        return result


def _train(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    report = _Report(folder / "progress.jsonl")
    report.say("Loading the base")
    # Imported late, for torch takes seconds and the answer may be there already.
    from clm.llm.base import load_base_of
    from clm.llm.experts import load_expert, save_expert
    from clm.llm.router import save_features, save_router
    from clm.training.learning import learn
    from clm.training.routing import Seen, fit, task_answers, task_features, together
    from clm.training.states import load_state, save_state
    from clm.training.strategies.hooks import Lesson
    from clm.training.transfer import start_of_job

    policy = TrainingPolicy(**job["policy"])
    missing = sorted(set(job["other_experts"]) - set(job["other_features"]) - {job["task"]})
    if missing:
        raise InvalidInput(f"The router features of these tasks are missing: {', '.join(missing)}.")
    base = load_base_of(job)
    new, memory = read_mixture(Path(job["mixture"]))
    examples = [*new, *memory.get(job["task"], ())]  # of this task
    chosen = random.Random(policy.seed).sample(examples, min(ROUTER_ROWS, len(examples)))
    seen = Seen(task_features(base, chosen), task_answers(chosen))
    if job["own_features"]:  # its older prompts still come, though few of them are replayed
        seen = together(Seen.load(Path(job["own_features"])), seen, ROUTER_ROWS, policy.seed)
    start = start_of_job(job, folder, base, examples, policy, seen.features)
    replayed = sum(map(len, memory.values()))
    report.say(f"Training on {len(new) + replayed} examples" + (f". {start.reason}" if start else ""))
    old = load_expert(Path(job["init_expert"]), base) if job["init_expert"] else None
    other = load_expert(start.path, base) if start and start.path else None
    state = load_state(Path(job["state"])) if job["state"] else {}
    lesson = Lesson(base, job["task"], new, memory, old, state, start=other, drawn=True)
    trained = learn(lesson, policy, folder / "checkpoints", report.step)
    if not is_main():
        return {}
    expert_hash, expert_path = save_expert(trained.expert, base.hash, Path(job["experts_dir"]))
    described = _describe(job, base, examples, trained.expert, folder / "rows.parquet", policy, report)
    report.say("Fitting the router")
    features_hash, features_path = save_features(seen.features, Path(job["features_dir"]), seen.answers)
    others = {task: Path(path) for task, path in job["other_features"].items() if task != job["task"]}
    router_hash, router_path = save_router(
        fit(base, {job["task"]: seen}, others, policy.seed, policy.strategies), Path(job["routers_dir"])
    )
    report.say(f"Trained in {trained.seconds:.0f} s, {trained.tokens} tokens, last loss {trained.final_loss:.3f}")
    return {
        "expert_hash": expert_hash, "expert_path": str(expert_path), "features_hash": features_hash,
        "features_path": str(features_path), "router_hash": router_hash, "router_path": str(router_path),
        "steps": trained.steps, "tokens": trained.tokens, "seconds": round(trained.seconds, 3),
        "final_loss": trained.final_loss, "notes": trained.notes, "described": described,
        "state_hash": save_state(trained.state, Path(job["states_dir"])),
        "transfer": start.record() if start else None,
    }  # fmt: skip


def _describe(
    job: dict[str, Any], base: Any, examples: list[Any], expert: Any, out: Path, policy: TrainingPolicy, report: Any
) -> str | None:
    need = job.get("memory_needs")
    if need is None:
        return None
    from clm.training.rows import describe_rows

    report.say(f"Measuring the rows' {need} for the replay memory")
    return str(describe_rows(base, examples, expert, out, need=need, max_tokens=policy.max_tokens))


def read_mixture(path: Path) -> tuple[list[Any], dict[str, list[Any]]]:
    """New examples, and replayed ones by task; see clm.store.mixture."""
    import polars as pl

    from clm.training.examples import Example

    try:
        columns = ["record_id", "task", "shape", "content", "origin"]
        new: list[Any] = []
        replayed: dict[str, list[Any]] = {}
        for row in pl.read_parquet(path, columns=columns).iter_rows(named=True):
            example = Example(row["record_id"], row["shape"], json.loads(row["content"]))
            (new if row["origin"] == "new" else replayed.setdefault(row["task"], [])).append(example)
        return new, replayed
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InvalidInput(f"The mixture {path.name} can't be read: {error}.") from error


class _Report:
    """Adds lines to progress.jsonl; sentences carry the numbers of the last step along."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[str, Any] = dict.fromkeys(("step", "steps", "loss", "tokens_per_second", "eta_seconds"))
        self._last.update(step=0, steps=0)

    def step(self, progress: Any) -> None:
        self._last = {
            "step": progress.step, "steps": progress.steps, "loss": round(progress.loss, 4),
            "tokens_per_second": round(progress.tokens_per_second, 1), "eta_seconds": round(progress.eta_seconds, 1),
        }  # fmt: skip
        self._write("")

    def say(self, message: str) -> None:
        self._write(message)

    def _write(self, message: str) -> None:
        if not is_main():
            return
        line = {"at": iso(now()), "stage": "train", **self._last, "message": message}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(canonical_json(line) + "\n")


def main() -> int:
    return run_in_folder(_within_memory)


def _within_memory(folder: Path) -> None:
    try:
        run(folder)
    except (MemoryError, RuntimeError) as error:  # torch says RuntimeError where it can't allocate
        if isinstance(error, RuntimeError) and "allocate" not in str(error):
            raise
        raise TrainingFailed(
            "The machine's memory is full. Lower training.batch_size or training.max_tokens in the policy."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
