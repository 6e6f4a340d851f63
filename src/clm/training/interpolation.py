"""`python -m clm.training.interpolation FOLDER`: an expert on the way from an old one to a new one.

    theta = old + step * (new - old)    for every A and B, 0 < step < 1

After Wortsman et al. 2022, "Robust fine-tuning of zero-shot models" (WiSE-FT, arXiv:2109.01903): between a model and
what fine-tuning made of it, the weights on the straight line keep more of the old than the new model does, and often
know nearly as much of the new. It needs that the new one was trained on from the old one, for only then is there such
a line without a hill of loss on it. That holds for a refreshed expert, and for its factors: A and B of the new one
began at the old one's, so they describe the same directions. (The product B·A is then not linear in `step`, but goes
from the old change to the new one without a jump.) Two experts that were trained apart must not be mixed this way.

Reads an `InterpolationJob` from `job.json` (see `clm.jobs.training`). Writes the expert to its content address, then
`result.json`; `error.json` and exit code 1 where it can't be done.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clm.errors import InvalidInput
from clm.jobs.files import run_in_folder, run_once
from clm.jobs.job import Stored
from clm.jobs.training import InterpolationJob, InterpolationResult

if TYPE_CHECKING:
    from clm.llm.decoder import Expert


def interpolate(old: "Expert", new: "Expert", step: float) -> "Expert":
    """`step` 0 is the old expert, 1 the new one. Raises InvalidInput where they can't lie on one line."""
    from clm.llm.decoder import Expert

    if not 0 <= step <= 1:
        raise InvalidInput(f"The step must be from 0 (the old expert) to 1 (the new one), got {step}.", field="step")
    if (old.rank, old.alpha) != (new.rank, new.alpha):
        raise InvalidInput(
            f"The old expert has rank {old.rank} and alpha {old.alpha:g}, the new one rank {new.rank} and alpha "
            f"{new.alpha:g}: only experts of one shape can be interpolated."
        )
    if old.weights.keys() != new.weights.keys():
        raise InvalidInput(
            f"The old expert changes {_described(old)}, the new one {_described(new)}: only experts on the same "
            "layers can be interpolated."
        )
    return Expert(
        {
            place: (a.lerp(new.weights[place][0], step), b.lerp(new.weights[place][1], step))
            for place, (a, b) in old.weights.items()
        },
        old.rank,
        old.alpha,
    )


def run(folder: Path) -> InterpolationResult:
    """Does the job in `folder` and returns its result."""
    return run_once(folder, InterpolationJob, InterpolationResult, _make)


def _make(job: InterpolationJob, _: Path) -> InterpolationResult:
    # Imported late, for torch takes seconds and the answer may be there already.
    from clm.llm.base import load_base_of
    from clm.llm.experts import load_expert, save_expert

    on_cpu = replace(job, compute=replace(job.compute, device="cpu"))
    base = load_base_of(on_cpu)  # for its shapes alone: nothing is computed with it
    old, new = (load_expert(part.path, base, part.hash) for part in (job.old, job.new))
    return InterpolationResult(
        expert=Stored(*save_expert(interpolate(old, new, job.step), base.hash, job.artifacts.experts))
    )


def _described(expert: "Expert") -> str:
    names = ", ".join(sorted({name for _, name in expert.weights}))
    return f"{names} of layers {expert.layers[0]} to {expert.layers[-1]}"


def main() -> int:
    return run_in_folder(run)


if __name__ == "__main__":
    sys.exit(main())
