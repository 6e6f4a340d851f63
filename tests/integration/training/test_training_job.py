"""The training job as the worker runs it, also as a process that is killed in the middle and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from clm.core.artifacts import Artifacts
from clm.core.files import read_json, write_json
from clm.jobs.files import read_result, write
from clm.jobs.job import Compute, Stored
from clm.jobs.training import TrainingJob, TrainingResult
from clm.llm.base import import_base, load_base
from clm.llm.prompts import prompt_ids
from clm.llm.router import load_router
from clm.llm.runtime import Runtime
from clm.policies import TrainingPolicy, TransferPolicy
from clm.records import BASE
from clm.strategies import by_name
from clm.training import job
from tiny import tiny_base


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    import_base(str(tiny_base(home / "tiny")), home / "bases")
    return home


def _job(
    home: Path,
    folder: Path,
    task: str = "greet",
    epochs: int = 3,
    rows: int = 24,
    strategies: tuple[str, ...] = ("experts",),
    **more: Any,
) -> Path:
    content = [{"prompt": f"{task} number {n} please", "completion": f"{task[:2]} {n % 3}"} for n in range(rows)]
    base = next((home / "bases").iterdir())
    folder.mkdir(parents=True)
    pl.DataFrame(
        {"record_id": [f"rec_{n}" for n in range(rows)], "task": [task] * rows, "shape": ["completion"] * rows,
         "content": [json.dumps(c) for c in content], "origin": ["new"] * rows},
        schema=dict.fromkeys(("record_id", "task", "shape", "content", "origin"), pl.String),
    ).write_parquet(folder / "mixture.parquet")  # fmt: skip
    chosen = tuple(by_name(name) for name in strategies)
    policy = TrainingPolicy(strategies=chosen, rank=4, epochs=epochs, batch_size=4, checkpoint_every=3)
    given: dict[str, Any] = {"base": base.name, "mixture": folder / "mixture.parquet", **more}
    asked = TrainingJob(artifacts=Artifacts(home), compute=Compute(1), task=task, policy=policy, **given)
    write(folder / "job.json", asked)
    return folder


def _result(folder: Path) -> TrainingResult:
    result = read_result(folder, TrainingResult)
    assert result is not None
    return result


def test_memory_that_is_full_is_told_and_other_failures_stay(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _job(home, tmp_path / "job")
    monkeypatch.setattr(sys, "argv", ["job", str(tmp_path / "job")])
    monkeypatch.setattr(job, "_train", lambda *_: torch.empty(2**50))
    assert job.main() == 1
    assert "Lower training.batch_size" in read_json(tmp_path / "job" / "error.json")["sentence"]
    monkeypatch.setattr(job, "_train", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        job.main()


def _start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "clm.training.job", str(folder)], start_new_session=True)


def _lines(folder: Path) -> list[dict[str, Any]]:
    file = folder / "progress.jsonl"
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@pytest.mark.usefixtures("process")
def test_kill_in_the_middle_and_start_again_gives_the_same_hashes(home: Path, tmp_path: Path) -> None:
    undisturbed = _job(home, tmp_path / "undisturbed", epochs=60)
    assert _start(undisturbed).wait(300) == 0
    expected = _result(undisturbed)

    killed = _job(home, tmp_path / "killed", epochs=60)
    process = _start(killed)
    deadline = time.monotonic() + 120
    while not any(line["step"] >= 10 for line in _lines(killed)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "result.json").exists()
    before = len(_lines(killed))

    assert _start(killed).wait(300) == 0
    result = _result(killed)
    assert replace(result, seconds=expected.seconds) == expected
    steps = [line["step"] for line in _lines(killed)[before:] if line["step"]]
    assert steps[0] > 1 and steps[-1] == 360  # it went on, it did not begin again

    size = len(_lines(killed))
    assert _start(killed).wait(60) == 0  # it had ended: nothing is done again
    assert len(_lines(killed)) == size


def test_a_second_task_joins_the_router_without_the_first_ones_data(home: Path, tmp_path: Path) -> None:
    first = _job(home, tmp_path / "first", "greet")
    job.run(first)
    one = _result(first)
    (first / "mixture.parquet").unlink()
    second = _job(home, tmp_path / "second", "weigh the parcel", others={"greet": one.expert},
                  other_features={"greet": one.features.path})  # fmt: skip
    job.run(second)
    two = _result(second)
    assert two.expert != one.expert and two.seconds > 0

    base = load_base(next((home / "bases").iterdir()), threads=1)
    router = load_router(two.router.path, two.router.hash)
    assert router.tasks == ("greet", "weigh the parcel")
    asked = ["greet number 7 please", "weigh the parcel number 9 please", "Tell me a joke about the Roman Empire."]
    ids = [prompt_ids(base.tokenizer, "completion", {"prompt": p}) for p in asked]
    assert router.route(Runtime(base).features(ids)) == ["greet", "weigh the parcel", BASE]


def test_another_tasks_expert_is_where_a_task_starts_and_nobodys_teacher(home: Path, tmp_path: Path) -> None:
    other = job.run(_job(home, tmp_path / "other", "weigh the parcel", rows=8))
    assert other is not None
    made: list[str] = []
    for strategies in (("experts",), ("experts", "distill"), ("experts", "merge")):
        folder = _job(home, tmp_path / "-".join(strategies), rows=8, strategies=strategies,
                      others={"weigh the parcel": other.expert}, transfer=TransferPolicy(),
                      other_features={"weigh the parcel": other.features.path})  # fmt: skip
        decided = {"task": "weigh the parcel", "path": str(other.expert.path), "reason": "Warm.", "evidence": {}}
        write_json(folder / "start.json", decided)
        result = job.run(folder)
        assert result is not None and (result.transfer or {})["started_from"] == "weigh the parcel"
        made.append(result.expert.hash)
    assert len(set(made)) == 1


@pytest.mark.parametrize(
    ("more", "title", "says"),
    [
        ({"rows": 0}, "Invalid input", "no example"),
        ({"rows": 1}, "Invalid input", "one example"),
        ({"base": "0" * 64}, "Artifact does not verify", "Import it again"),
        ({"others": {"x": Stored("y", Path("z"))}}, "Invalid input", "missing: x"),
        ({"mixture": Path("/nowhere.parquet")}, "Invalid input", "can't be read"),
    ],
)
def test_what_goes_wrong_is_reported_in_words(
    home: Path, tmp_path: Path, more: dict[str, Any], title: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clm.training import job

    folder = _job(home, tmp_path / "job", **more)
    monkeypatch.setattr(sys, "argv", ["job", str(folder)])
    assert job.main() == 1
    error = read_json(folder / "error.json")
    assert error["title"] == title and says in error["sentence"]
    assert not (folder / "result.json").exists()
