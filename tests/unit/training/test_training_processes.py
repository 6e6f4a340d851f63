"""Two processes, started by accelerate's launcher, train the expert that one process trains."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import several_processes
from clm.jobs.files import read_result
from clm.jobs.training import TrainingResult
from clm.llm.base import load_base
from clm.llm.experts import load_expert
from clm.training import job
from clm.training.processes import Processes
from clm.training.weights import FlatWeights
from tiny import tiny_base

NAMES = [*several_processes.METHODS, "plain", "one by one"]


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left behind."""
    folder = tmp_path_factory.mktemp("launched")
    base = tiny_base(folder / "base")
    several_processes.write_job(folder / "job", load_base(base, threads=1), base)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--multi_gpu",
               "--num_cpu_threads_per_process", "1", "--main_process_port", "0",
               several_processes.__file__, str(base), str(folder)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def alone(launched: Path) -> dict[str, torch.Tensor]:
    return several_processes.trainings(load_base(launched / "base", threads=1))


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_make_the_expert_of_one(name: str, launched: Path, alone: dict[str, torch.Tensor]) -> None:
    first, second = (load_file(launched / f"{number}.safetensors") for number in (0, 1))
    assert torch.equal(first[name], second[name])
    torch.testing.assert_close(first[name], alone[name], atol=1e-4, rtol=0)
    torch.testing.assert_close(first[f"{name}, loss"], alone[f"{name}, loss"], atol=1e-3, rtol=0)


@pytest.mark.usefixtures("process")
def test_a_job_in_two_processes_leaves_what_one_leaves(launched: Path, tmp_path: Path) -> None:
    base = load_base(launched / "base", threads=1)
    made = read_result(launched / "job", TrainingResult)
    alone = job.run(several_processes.write_job(tmp_path / "job", base, launched / "base"))
    assert made is not None and alone is not None
    assert made.steps == alone.steps and made.router.hash == alone.router.hash
    experts = (load_expert(one.expert.path, base, one.expert.hash) for one in (made, alone))
    torch.testing.assert_close(*(FlatWeights(expert).flat.detach() for expert in experts), atol=1e-4, rtol=0)
    lines = [json.loads(line) for line in (launched / "job" / "progress.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if not line["message"]] == list(range(1, made.steps + 1))
    assert {path.name for path in (launched / "job").iterdir()} == {path.name for path in (tmp_path / "job").iterdir()}


@pytest.mark.usefixtures("process")
def test_only_the_main_process_writes_and_tells(launched: Path) -> None:
    assert (launched / "told-0").read_text() == "1 2 3 4" and (launched / "told-1").read_text() == ""
    assert [file.name for file in (launched / "checkpoints").iterdir()] == ["checkpoint.safetensors"]


@pytest.mark.usefixtures("process")
def test_processes_with_differing_rows_are_refused_rather_than_wait_for_each_other(launched: Path) -> None:
    for number in (0, 1):
        assert "Start all of them with the same job" in (launched / f"refused-{number}").read_text()


def test_every_row_is_in_one_share_and_a_share_may_be_empty() -> None:
    first, second = Processes(), Processes()
    first.count = second.count = 2
    second.index = 1
    assert first.own([4, 7, 9]) == [4, 9] and second.own([4, 7, 9]) == [7]
    assert second.own([4]) == []


def test_alone_nothing_is_exchanged() -> None:
    rows = torch.ones(2, 3)
    alone = Processes()
    assert alone.own([3, 1]) == [3, 1] and alone.gather(rows) is rows and alone.sum(rows)[0] is rows and alone.is_main
