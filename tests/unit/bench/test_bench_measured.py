"""The benchmarks themselves, small, with the tiny base. Times are measured, not judged."""

import importlib.util
import json
from pathlib import Path

import pytest

from clm.bench import growth, training
from clm.bench.options import GrowthOptions, TrainingOptions
from clm.bench.progress import Progress
from clm.bench.sentences import synthetic_rows
from clm.errors import InvalidInput, Unavailable

needs_trl = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="TRL is not installed: extra 'bench'")


@needs_trl
@pytest.mark.slow
def test_both_sides_train_the_same_adapter() -> None:
    options = TrainingOptions(base="tiny", train=20, test=8, epochs=2, rank=4, alpha=8.0, learning_rate=5e-3, threads=2)
    made = training.run(options, Progress())
    assert made["clm"]["steps"] == made["trl"]["steps"] == 4  # whole batches only
    assert made["clm"]["tokens"] == made["trl"]["tokens"]
    assert made["loss_difference"] < 1e-4
    assert made["clm"]["training_losses"] == pytest.approx(made["trl"]["training_losses"], rel=1e-3)
    assert made["clm"]["training_losses"][1] < made["clm"]["training_losses"][0]
    assert made["ratio"] > 0 and made["clm"]["peak_memory_mb"] > 0


def test_without_trl_the_benchmark_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"pip install 'clm\[bench\]'"):
        training.run(TrainingOptions(base="tiny"), Progress())


def test_rows_are_in_whole_batches_and_held_out_ones_are_others(tmp_path: Path) -> None:
    train, held_out = training.rows(TrainingOptions(train=30, test=10, batch_size=8))
    assert (len(train), len(held_out)) == (24, 10)
    assert len({row["prompt"] for row in train + held_out}) == 34
    assert synthetic_rows(5, 1) == synthetic_rows(9, 1)[:5] != synthetic_rows(5, 2)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for split, start in (("train", 0), ("test", 50)):
            rows = [{"prompt": f"{name} {n}", "completion": "x"} for n in range(start, start + 20)]
            (tmp_path / name / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    train, held_out = training.rows(TrainingOptions(data=tmp_path, sequence=("one", "two"), train=25, test=5))
    assert (len(train), len(held_out)) == (24, 5)
    assert sum(row["prompt"].startswith("one") for row in train) == 12


@pytest.mark.usefixtures("process")
@pytest.mark.slow
def test_updates_are_measured_one_after_the_other(tmp_path: Path) -> None:
    options = GrowthOptions(updates=2, compared=1, rows=16, suite=8, epochs=1, home=tmp_path / "home", threads=2)
    made = growth.run(options, Progress())
    assert made["states"] == ["succeeded", "succeeded"]
    assert len(made["seconds"]) == len(made["memory_mb"]) == 2 and made["ratio"] > 0
    assert {"mixture", "train", "evaluate", "gate", "release"} <= made["stages"].keys()
    assert (tmp_path / "home" / "releases").is_dir()  # a named home stays, to be looked at


def test_growth_refuses_a_home_in_use_and_too_few_updates(tmp_path: Path) -> None:
    (tmp_path / "clm.db").touch()
    with pytest.raises(InvalidInput, match="is not empty"):
        growth.run(GrowthOptions(updates=6, home=tmp_path), Progress())
    with pytest.raises(InvalidInput, match="Raise --updates"):
        growth.run(GrowthOptions(updates=5), Progress())


def test_growth_compares_medians_of_the_last_and_the_first() -> None:
    def measured(seconds: float, megabytes: float) -> dict[str, object]:
        return {"seconds": seconds, "cpu_seconds": seconds / 2, "ingest": 0.1, "state": "succeeded",
                "stages": {"train": seconds - 1}, "memory_mb": {"clm.training.job": megabytes}}  # fmt: skip

    made = growth.figures(
        [measured(s, m) for s, m in ((9, 100), (10, 100), (30, 100), (11, 110), (12, 120), (50, 110))], 3
    )
    assert (made["ratio"], made["cpu_ratio"], made["memory_ratio"]) == (1.2, 1.2, 1.1)
    assert made["stages"]["train"] == {"first": 9, "last": 11, "more": 2}


def test_invented_tasks_differ_and_their_answers_stand_in_the_prompt() -> None:
    tasks = [growth.task_rows(number, 8) for number in range(50)]
    assert len({row["prompt"] for rows in tasks for row in rows}) == 400
    assert all(row["completion"] in row["prompt"].split() for rows in tasks for row in rows)
