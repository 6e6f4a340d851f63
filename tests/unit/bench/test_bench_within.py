"""One task in deliveries, small: a folder with four classes and the tiny base."""

import json
from pathlib import Path
from typing import Any

import pytest

from clm.bench import within
from clm.bench.datasets import load_deliveries
from clm.bench.options import WithinOptions
from clm.bench.progress import Progress
from clm.errors import InvalidInput

SAID = {"blue": "paint {n} {w}", "red": "paint {n} {w}", "Bern": "GO TO {w}! {n}", "Oslo": "GO TO {w}! {n}"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "words"
    folder.mkdir(parents=True)
    for split, start, count in (("train", 0, 16), ("test", 100, 6)):
        rows = [
            {"prompt": said.format(w=word, n=n), "completion": word}
            for word, said in SAID.items() for n in range(start, start + count)
        ]  # fmt: skip
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "data"


def options(data: Path, **more: Any) -> WithinOptions:
    given: dict[str, Any] = {
        "data": data, "set": "words", "deliveries": 2, "strategies": ("experts", "joint"), "train": 24, "test": 8,
        "epochs": 8, "learning_rate": 5e-3, "base": "tiny", "keep": data.parent / "kept", "threads": 1, **more,
    }  # fmt: skip
    return WithinOptions(**given)


@pytest.mark.usefixtures("process")
@pytest.mark.slow
def test_a_task_is_learned_in_deliveries_and_finished_ones_are_kept(data: Path) -> None:
    asked = options(data)
    made = within.run(asked, Progress())
    assert made["deliveries"] == [["Bern", "Oslo"], ["blue", "red"]]
    experts, joint = made["strategies"]["experts"], made["strategies"]["joint"]
    assert {"average_performance", "backward_transfer", "parts", "seconds", "matrix"} <= experts.keys()
    first, last = experts["matrix"]
    assert first[1] is None and first[0] > 0.5
    assert experts["average_performance"] == pytest.approx(sum(last) / 2, abs=1e-5)
    assert experts["backward_transfer"] == pytest.approx(last[0] - first[0], abs=1e-5)
    assert [choice["kind"] for choice in experts["choices"]] in (["new", "grow"], ["new", "refresh"])
    assert experts["parts"] == 1 + (experts["choices"][1]["kind"] == "grow")
    assert "gain" in experts["choices"][1]
    assert joint["matrix"][0] == [None, None] and joint["backward_transfer"] is None and joint["parts"] == 1

    (kept,) = (data.parent / "kept").glob("experts-*")
    (kept / "step-01.json").unlink()
    before = (kept / "step-00.json").stat().st_mtime_ns
    assert within.run(asked, Progress())["strategies"]["experts"]["matrix"] == experts["matrix"]
    assert (kept / "step-00.json").stat().st_mtime_ns == before


def test_a_delivery_brings_classes_of_its_own(data: Path) -> None:
    three = load_deliveries(data, "words", 3, 8, 4, seed=1)
    assert [task.labels for task in three] == [("Bern",), ("Oslo",), ("blue", "red")]
    for task in three:
        assert {row["completion"] for row in (*task.train, *task.test)} == set(task.labels or ())
        assert (len(task.train), len(task.test)) == (8, 4)
    with pytest.raises(InvalidInput, match="words has 4 classes, which can't come in 5 deliveries"):
        load_deliveries(data, "words", 5, 8, 4, seed=1)
