"""The comparison of strategies, small: a folder of two data sets and the tiny base."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from clm.bench import continual, router
from clm.bench.continual import parse_strategies
from clm.bench.options import ContinualOptions, RouterOptions
from clm.bench.progress import Progress
from clm.errors import InvalidInput, NotFound, TrainingFailed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, said, words in (
        ("paint", "paint it {w} {n}", ("red", "blue")),
        ("fly", "to {w} at {n}", ("Oslo", "Bern")),
    ):
        for split, start, count in (("train", 0, 16), ("test", 100, 6)):
            rows = [
                {"prompt": said.format(w=words[n % 2], n=n), "completion": words[n % 2]}
                for n in range(start, start + count)
            ]
            folder = tmp_path / "data" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "data"


def options(data: Path, **more: Any) -> ContinualOptions:
    given: dict[str, Any] = {
        "data": data, "sequence": ("paint", "fly"), "strategies": ("finetune", "experts"), "train": 12, "test": 6,
        "epochs": 8, "learning_rate": 5e-3, "base": "tiny", "keep": data.parent / "kept", "threads": 1, **more,
    }  # fmt: skip
    return ContinualOptions(**given)


@pytest.mark.usefixtures("process")
@pytest.mark.slow
def test_strategies_are_compared_and_finished_steps_are_kept(data: Path) -> None:
    made = continual.run(options(data), Progress())
    finetune, experts = made["strategies"]["finetune"], made["strategies"]["experts"]
    assert made["tasks"] == ["paint", "fly"]
    assert [len(row) for row in experts["matrix"]] == [2, 2]
    assert experts["backward_transfer"] == 0  # the first expert is not touched, and its prompts still find it
    assert experts["misrouted"] == 0
    assert finetune["misrouted"] is None
    assert finetune["matrix"][0][0] > 0.5 > finetune["matrix"][1][0]  # it learned, then forgot
    assert finetune["peak_memory_mb"] > 0
    assert [step["verdict"] for step in experts["gate"]] == ["pass", "pass"] and experts["gated_acceptance"] == 1.0
    assert experts["gate"][1]["by"]["paint"] == "route"  # its expert and its routes are as they were
    assert finetune["gate"][1]["verdict"] != "pass" and finetune["gated_acceptance"] == 0.5

    (kept,) = (data.parent / "kept").glob("experts-*")
    (kept / "step-01.json").unlink()
    first = (kept / "step-00.json").stat().st_mtime_ns
    assert continual.run(options(data), Progress())["strategies"]["experts"]["matrix"] == experts["matrix"]
    assert (kept / "step-00.json").stat().st_mtime_ns == first


@pytest.mark.usefixtures("process")
def test_joint_training_happens_once_at_the_end(data: Path) -> None:
    asked = options(data, strategies=("joint",), epochs=1)
    made = continual.run(asked, Progress())["strategies"]["joint"]
    assert made["matrix"][0] == [None, None]
    assert made["backward_transfer"] is None
    assert made["notes"][0]["rows"] == {"new": 12, "legacy": {"fly": 12}}

    cells = sorted((data.parent / "kept").iterdir())
    backwards = continual.run(replace(asked, sequence=asked.sequence[::-1]), Progress())
    assert backwards["strategies"]["joint"]["matrix"][-1] == made["matrix"][-1][::-1]
    assert sorted((data.parent / "kept").iterdir()) == cells  # one cell for all orders


def test_strategies_are_read_with_options_and_together() -> None:
    assert parse_strategies("replay:share=0.2+distill") == [{"name": "replay", "share": 0.2}, {"name": "distill"}]
    assert parse_strategies("merge:method=ties;density=0.3") == [{"name": "merge", "method": "ties", "density": 0.3}]
    with pytest.raises(InvalidInput, match="write name:option=value"):
        parse_strategies("merge:ties")


def test_an_unknown_strategy_is_refused_before_anything_is_trained(data: Path) -> None:
    with pytest.raises(NotFound, match="no strategy named 'lwf'"):
        continual.run(options(data, strategies=("finetune", "lwf")), Progress())
    assert not (data.parent / "kept").exists()


@pytest.mark.usefixtures("process")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_told_in_a_sentence(data: Path) -> None:
    with pytest.raises(InvalidInput, match="--device is 'tpu'; it is cpu or cuda"):
        continual.run(options(data, device="tpu"), Progress())
    with pytest.raises(TrainingFailed, match=r"ended with \d: torch sees no CUDA device on this machine"):
        continual.run(options(data, device="cuda"), Progress())


def test_the_routers_variants_are_chosen_on_one_split_and_reported_on_another(data: Path) -> None:
    given = RouterOptions(data=data, sequence=("paint", "fly"), train=8, dev=4, test=6, layers=(1, 3), amounts=(4,),
                          base="tiny", threads=1)  # fmt: skip
    made = router.run(given, Progress())
    kinds = {each["variant"] for each in made["variants"]}
    assert kinds == {"as built in", "classes", "states", "two layers", "shrinkage", "rows"}
    assert made["built_in"]["layers"] == [1]
    assert all(0 <= each["misrouted_test"] <= 1 for each in made["variants"])
    for figures in made["baselines"].values():
        assert 0 <= figures["right_test"] <= figures["right_told_task"] <= 1
    assert set(made["baselines"]) == {"router alone", "kernel discriminant"}
    with pytest.raises(InvalidInput, match="names layer 9; this base has 4"):
        router.run(RouterOptions(data=data, sequence=("paint",), train=4, dev=2, test=2, layers=(9,), base="tiny"),
                   Progress())  # fmt: skip
