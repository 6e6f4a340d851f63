"""The sequential baseline for real, on a tiny base: one adapter, tasks that answer the same prompts differently."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from clm.core.artifacts import Artifacts
from clm.core.files import read_json
from clm.demo import baseline
from clm.demo.baseline_job import BaselineJob, BaselineResult, BaselineTask
from clm.errors import InvalidInput
from clm.jobs.files import read, write
from clm.jobs.job import Compute
from clm.llm.base import import_base
from clm.policies import TrainingPolicy
from tiny import tiny_base

POLICY = TrainingPolicy(rank=8, alpha=16, epochs=12, learning_rate=0.01, batch_size=4)
ANSWERS = {"first": "aa", "second": "bb"}


def write_rows(path: Path, answer: str, count: int) -> Path:
    rows = [{"prompt": f"say {n}", "completion": answer, "author": "test"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prepare(
    folder: Path, base: Path, rows: int = 8, tasks: tuple[str, ...] = ("first", "second"), **changes: Any
) -> Path:
    folder.mkdir()
    entries = tuple(
        BaselineTask(task, write_rows(folder / f"{task}-train.jsonl", ANSWERS[task], rows),
                     write_rows(folder / f"{task}-heldout.jsonl", ANSWERS[task], 4), "exact_match")
        for task in tasks
    )  # fmt: skip
    artifacts = Artifacts(base.parents[1])
    job = BaselineJob(base=base.name, artifacts=artifacts, compute=Compute(1), tasks=entries, policy=POLICY,
                      max_new_tokens=8, work=folder, **changes)  # fmt: skip
    write(folder / "job.json", job)
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    return Path(import_base(str(tiny_base(folder / "tiny")), folder / "bases").path)


def test_one_adapter_in_sequence_learns_and_forgets(base: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "job", base)
    result = baseline.run(folder)
    assert result == read(folder / "result.json", BaselineResult)
    (learned, unseen), (kept, newest) = result.matrix
    assert unseen is None
    assert learned == newest == 1.0  # it can learn either
    assert kept == 0.0  # and the second overwrites the first
    assert result.average_performance == 0.5 and result.backward_transfer == -1.0
    messages = [json.loads(line)["message"] for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert messages[-1] == "after second: first 0.00, second 1.00"


def test_a_first_adapter_that_is_there_already_is_not_trained_again(base: Path, tmp_path: Path) -> None:
    alone = prepare(tmp_path / "alone", base, tasks=("first",))
    assert baseline.run(alone).matrix == ((1.0,),)
    (first,) = (alone / "adapters").iterdir()
    given = prepare(tmp_path / "given", base, first_expert=first)
    assert baseline.run(given).matrix == ((1.0, None), (0.0, 1.0))
    assert not (given / "adapters" / first.name).exists()


def test_summary_by_the_published_definitions() -> None:
    summary = baseline.summarise([[0.9, None, None], [0.3, 0.8, None], [0.1, 0.2, 0.7]])
    assert summary.average_performance == pytest.approx((0.1 + 0.2 + 0.7) / 3)
    assert summary.backward_transfer == pytest.approx(((0.1 - 0.9) + (0.2 - 0.8)) / 2)
    alone = BaselineResult(matrix=((0.9,),), average_performance=0.9, backward_transfer=None)
    assert baseline.summarise([[0.9]]) == alone


def test_what_can_not_be_trained_is_told(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare(tmp_path / "job", base, rows=1)
    monkeypatch.setattr(sys, "argv", ["baseline", str(folder)])
    assert baseline.main() == 1
    assert read_json(folder / "error.json")["title"] == InvalidInput.title
