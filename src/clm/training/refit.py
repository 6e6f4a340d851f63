"""`python -m clm.training.refit FOLDER`: fits a router again, as a process of its own. No expert is touched.

Reads a `RefitJob` from `job.json` (see `clm.jobs.training`). Writes the router, and features of the tasks that had
none, to their content addresses, then `result.json`; `error.json` with exit code 1 where it can't be done.
"""

import sys
from pathlib import Path
from typing import Any

from clm.formats.mixture import read_mixture
from clm.jobs.files import run_in_folder, run_once
from clm.jobs.job import Stored
from clm.jobs.training import RefitJob, RefitResult


def run(folder: Path) -> RefitResult:
    """Does the job in `folder` and returns its result."""
    return run_once(folder, RefitJob, RefitResult, _refit)


def _refit(job: RefitJob, _: Path) -> RefitResult:
    # Imported late, for torch takes seconds and the answer may be there already.
    from clm.llm.base import load_base_of
    from clm.llm.router import Seen, save_features, save_router
    from clm.training.routing import fit, load_seen, point_of, see
    from clm.training.seen import some

    base = load_base_of(job)
    policy = job.policy
    kept = load_seen(job.features)
    point = point_of(base, kept)
    new: dict[str, Seen] = {}
    for task, mixture in job.rows.items():
        examples = _examples(mixture)
        new[task] = see(base, some(examples, policy.seed), point)
    router = fit(base, {**kept, **new}, policy.seed, policy.strategies)
    return RefitResult(
        router=Stored(*save_router(router, job.artifacts.routers)),
        features={task: save_features(seen, job.artifacts.features)[0] for task, seen in new.items()},
    )


def _examples(mixture: Path) -> list[Any]:
    from clm.training.examples import Example

    return [Example(row.record_id, row.shape, row.content) for row in read_mixture(mixture)]


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
