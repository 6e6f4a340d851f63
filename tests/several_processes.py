"""A few small trainings, for tests that run them in one process and in several.

`python several_processes.py BASE FOLDER` writes what this process made of them to `FOLDER/<its number>.safetensors`.
"""

import json
import os
import sys
from pathlib import Path

import polars as pl
from safetensors.torch import save_file
from torch import Tensor

from clm.core.artifacts import Artifacts
from clm.errors import InvalidInput
from clm.jobs.files import write
from clm.jobs.job import Compute
from clm.jobs.training import TrainingJob
from clm.llm.base import Base, import_base, load_base
from clm.policies import TrainingPolicy
from clm.training import job as training
from clm.training.examples import Example
from clm.training.learning import Learned, learn
from clm.training.loop import train
from clm.training.strategies.hooks import Lesson
from clm.training.weights import FlatWeights

# Weights that make a penalty matter beside the loss, so that one counted twice or not at all would be seen.
METHODS = {
    "ewc": ({"name": "ewc", "weight": 10.0},),
    "distill": ({"name": "distill", "weight": 5.0},),
    "olora": ({"name": "olora", "weight": 50.0},),
    "coral": ({"name": "domain", "align": "coral", "weight": 20.0},),
    "mmd": ({"name": "domain", "align": "mmd", "weight": 20.0},),
}


def rows(said: str, count: int) -> list[Example]:
    """Of differing lengths, prompts and answers."""
    contents = [{"prompt": f"{said} {'on ' * (n % 5)}{n}", "completion": "yes" * (n % 4 + 1)} for n in range(count)]
    return [Example(f"{said} {n}", "completion", content) for n, content in enumerate(contents)]


def policy(**more: object) -> TrainingPolicy:
    # Adam's first steps are as large for the smallest gradient as for the largest, so rounding shows: low rates.
    settings = {"rank": 4, "alpha": 8, "epochs": 2, "batch_size": 5, "learning_rate": 5e-4, "checkpoint_every": 2}
    return TrainingPolicy.model_validate({**settings, **more})


def two_lessons(base: Base, strategies: tuple[object, ...]) -> Learned:
    chosen = policy(strategies=strategies)
    first = learn(Lesson(base, "shared", rows("colour", 8)), chosen)
    return learn(Lesson(base, "shared", rows("town", 8), old=first.expert, state=first.state), chosen)


def trainings(base: Base) -> dict[str, Tensor]:
    """The weights and the last loss of each."""
    made = {name: two_lessons(base, strategies) for name, strategies in METHODS.items()}
    experts = {name: (learned.expert, learned.final_loss) for name, learned in made.items()}
    # 11 rows in batches of 5: a last batch of one row leaves a process without any.
    one_by_one = {"batch_size": 1, "epochs": 1}
    by_itself = {"length": "auto", "held_back": 0.3, "least_steps": 5, "most_steps": 26}
    for name, count, settings in (("plain", 11, {}), ("one by one", 11, one_by_one), ("by itself", 40, by_itself)):
        trained = train(base, rows("plain", count), policy(**settings))
        experts[name] = trained.expert, trained.final_loss
    weights = {name: FlatWeights(expert).flat.detach() for name, (expert, _) in experts.items()}
    return {**weights, **{f"{name}, loss": weights[name].new_tensor([loss]) for name, (_, loss) in experts.items()}}


def write_job(folder: Path, base: Base, base_folder: Path) -> Path:
    """A training as the worker asks for it."""
    folder.mkdir()
    given = rows("job", 9)
    columns = {"record_id": [row.record_id for row in given], "task": ["job"] * 9, "shape": ["completion"] * 9,
               "content": [json.dumps(row.content) for row in given], "origin": ["new"] * 9}  # fmt: skip
    pl.DataFrame(columns).write_parquet(folder / "mixture.parquet")
    import_base(str(base_folder), folder / "bases")
    job = TrainingJob(
        base=base.hash, artifacts=Artifacts(folder), compute=Compute(1), task="job", policy=policy(),
        mixture=folder / "mixture.parquet", memory_needs="losses",
    )  # fmt: skip
    write(folder / "job.json", job)
    return folder


def main(base_folder: Path, folder: Path) -> None:
    base = load_base(base_folder, threads=1)
    number = os.environ["RANK"]
    steps: list[int] = []
    train(
        base, rows("kept", 6), policy(), checkpoints=folder / "checkpoints", on_progress=lambda p: steps.append(p.step)
    )
    (folder / f"told-{number}").write_text(" ".join(map(str, steps)))
    try:
        train(base, rows("differing", 4 + int(number)), policy())
    except InvalidInput as error:
        (folder / f"refused-{number}").write_text(error.sentence)
    save_file(trainings(base), folder / f"{number}.safetensors")
    training.run(folder / "job")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
