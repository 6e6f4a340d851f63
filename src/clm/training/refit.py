"""`python -m clm.training.refit FOLDER`: fits a router again, as a process of its own. No expert is touched.

Reads `job.json`:

    base, base_hash           folder of the base and its hash
    features                  {task: file}: stored router features; of these tasks no data is needed
    rows                      {task: Parquet}: mixtures of tasks that have no features yet
    policy                    TrainingPolicy: seed and strategies
    features_dir, routers_dir, threads, device, dtype

Writes the router, and features of the tasks in `rows`, to their content addresses, then `result.json`: router_hash,
router_path, features {task: hash}; `error.json` with exit code 1 where it can't be done.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

from clm.core.files import read_json, write_json
from clm.core.job import run_in_folder
from clm.policies import TrainingPolicy
from clm.training.job import ROUTER_ROWS


def run(folder: Path) -> dict[str, Any]:
    """Does the job in `folder` and returns its result."""
    if (folder / "result.json").exists():
        return read_json(folder / "result.json")
    from clm.llm.base import load_base_of
    from clm.llm.router import save_features, save_router
    from clm.training.routing import Seen, fit, task_answers, task_features

    job = read_json(folder / "job.json")
    base = load_base_of(job)
    policy = TrainingPolicy(**job["policy"])
    new: dict[str, Seen] = {}
    for task, mixture in job["rows"].items():
        examples = _examples(Path(mixture))
        chosen = random.Random(policy.seed).sample(examples, min(ROUTER_ROWS, len(examples)))
        new[task] = Seen(task_features(base, chosen), task_answers(chosen))
    kept = {task: Path(path) for task, path in job["features"].items()}
    router_hash, router_path = save_router(
        fit(base, new, kept, policy.seed, policy.strategies), Path(job["routers_dir"])
    )
    kept_in = Path(job["features_dir"])
    hashes = {task: save_features(seen.features, kept_in, seen.answers)[0] for task, seen in new.items()}
    result = {"router_hash": router_hash, "router_path": str(router_path), "features": hashes}
    write_json(folder / "result.json", result)
    return result


def _examples(mixture: Path) -> list[Any]:
    import polars as pl

    from clm.training.examples import Example

    rows = pl.read_parquet(mixture, columns=["record_id", "shape", "content"]).iter_rows(named=True)
    return [Example(row["record_id"], row["shape"], json.loads(row["content"])) for row in rows]


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
