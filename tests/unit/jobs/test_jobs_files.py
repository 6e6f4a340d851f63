"""Jobs and results are what they were after they lay on disk, and nothing else is taken for one."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from clm.core.artifacts import Artifacts
from clm.core.files import read_json, write_json
from clm.errors import InvalidInput
from clm.jobs.evaluation import Answered, Contestant, EarlyStop, EvaluationJob, EvaluationResult
from clm.jobs.files import read, write
from clm.jobs.job import Compute, Stored, Written
from clm.jobs.training import InterpolationJob, RefitJob, RefitResult, TrainingJob, TrainingResult
from clm.policies import TrainingPolicy, TransferPolicy
from clm.records import TaskScore

HOME = Artifacts(Path("/home/artifacts"))
PART = Stored("e" * 64, Path("/home/artifacts/experts/e"))
POLICY = TrainingPolicy.model_validate({"strategies": [{"name": "replay", "share": 0.3}, "ewc"], "rank": 4})
TRAINING = TrainingJob(
    base="b" * 64, artifacts=HOME, compute=Compute(2, "cuda", "bfloat16"), task="intent", mixture=Path("/m.parquet"),
    policy=POLICY, init_expert=PART, others={"shop": PART}, other_features={"shop": Path("/f.safetensors")},
    transfer=TransferPolicy(), memory_needs="losses",
)  # fmt: skip
TRAINED = TrainingResult(
    expert=PART, features=PART, router=PART, steps=3, tokens=40, seconds=1.5, final_loss=0.25, described=None,
    notes={"rows": {"new": 3, "legacy": {"shop": 2}}, "frozen": [1, 2]}, state="s" * 64, transfer=None,
    part="intent.2", merged=("intent",), choice=None,
)  # fmt: skip
EVALUATION = EvaluationJob(
    base="b" * 64, artifacts=HOME, compute=Compute(1), suites=Path("/s.parquet"), max_new_tokens=8,
    compositions={"champion": Contestant(), "candidate": Contestant({"intent": PART}, PART, ("intent",))},
    metrics={"intent": "exact_match"}, early_stop=EarlyStop({"intent": 0.05}, 0.95, 2),
)  # fmt: skip
SCORE = TaskScore("intent", "exact_match", 0.5, 4, "h" * 64, misrouted=1, reused=0)
ALL: list[Written] = [
    TRAINING,
    TRAINED,
    EVALUATION,
    EvaluationResult(compositions={"candidate": Answered({"intent": SCORE}, Path("/a.parquet"))}),
    RefitJob(base="b", artifacts=HOME, compute=Compute(1), features={"shop": Path("/f")}, policy=POLICY),
    RefitResult(router=PART, features={"shop": "f" * 64}),
    InterpolationJob(base="b", artifacts=HOME, compute=Compute(1), old=PART, new=PART, step=0.5),
]


@pytest.mark.parametrize("value", ALL, ids=lambda value: type(value).__name__)
def test_what_is_read_is_what_was_written(value: Written, tmp_path: Path) -> None:
    write(tmp_path / "value.json", value)
    assert read(tmp_path / "value.json", type(value)) == value


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"epochs": 3}, r"job.json is no TrainingJob: epochs: Unexpected"),
        ({"task": None}, r"task: Input should be a valid string"),
        ({"compute": {"threads": "2"}}, r"compute.threads: Input should be a valid integer"),
        ({"policy": {"rang": 4}}, r"policy.rang: Extra inputs"),
    ],
)
def test_unknown_fields_and_other_types_are_refused_by_name(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    file = tmp_path / "job.json"
    write(file, TRAINING)
    write_json(file, {**read_json(file), **change})
    with pytest.raises(InvalidInput, match=says):
        read(file, TrainingJob)


def test_missing_fields_files_and_another_kind_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    with pytest.raises(InvalidInput, match=r"can't be read as a TrainingJob: .*No such file"):
        read(file, TrainingJob)
    write(file, TRAINING)
    with pytest.raises(InvalidInput, match=r"job.json is no InterpolationJob: "):
        read(file, InterpolationJob)
    content = read_json(file)
    del content["mixture"]
    write_json(file, content)
    with pytest.raises(InvalidInput, match="mixture: "):
        read(file, TrainingJob)


def test_what_json_would_change_is_not_written(tmp_path: Path) -> None:
    for changed in (replace(TRAINED, notes={"layers": (1, 2)}), replace(TRAINED, final_loss=math.nan)):
        with pytest.raises(InvalidInput, match=r"result.json"):
            write(tmp_path / "result.json", changed)
    assert not (tmp_path / "result.json").exists()
