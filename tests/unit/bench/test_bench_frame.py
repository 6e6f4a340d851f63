import importlib
import io
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clm.bench.catalogue import BENCHMARKS
from clm.bench.general import GENERAL_REQUESTS, general_suite
from clm.bench.options import ContinualOptions, GrowthOptions, TrainingOptions, flag
from clm.bench.progress import Progress
from clm.bench.report import as_line, result
from clm.errors import InvalidInput, NotFound
from clm.llm.general_prompts import GENERAL_PROMPTS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_benchmark_has_a_command_with_its_own_options_and_a_file_of_its_own(name: str) -> None:
    from clm.cli.bench import app

    shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    for each in fields(BENCHMARKS[name].options):
        assert flag(each.name) in shown.output
    assert BENCHMARKS[name].question.split("?")[0].split(",")[0][:20] in shown.output
    assert f'app(["{name}"' in (ROOT / "benchmarks" / f"{name}.py").read_text()


@pytest.mark.usefixtures("process")
def test_an_unknown_benchmark_is_answered_with_the_known_ones() -> None:
    clm = Path(sys.executable).with_name("clm")
    done = subprocess.run([clm, "bench", "speed"], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert f"no benchmark named 'speed'. Known: {', '.join(sorted(BENCHMARKS))}." in done.stderr


@pytest.mark.usefixtures("process")
def test_a_failure_of_a_benchmark_is_a_sentence_with_its_exit_code() -> None:
    given = json.dumps({"updates": 4, "compared": 3})
    command = [sys.executable, "-P", "-m", "clm.bench", "growth", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Raise --updates, or lower --compared." in done.stderr


@pytest.mark.parametrize("kind", [ContinualOptions, TrainingOptions, GrowthOptions])
def test_options_survive_the_way_to_another_process(kind: type[ContinualOptions]) -> None:
    options = kind()
    assert kind.read(json.loads(json.dumps(options.plain()))) == options


def test_options_have_bounds_and_lists() -> None:
    options = ContinualOptions.read({"sequence": "a, b,", "seeds": "1,2", "data": "~/x", "keep": None})
    assert (options.sequence, options.seeds, options.keep) == (("a", "b"), (1, 2), None)
    assert not str(options.data).startswith("~")
    with pytest.raises(InvalidInput, match="--train is 0; 1 is the least"):
        ContinualOptions(train=0)
    with pytest.raises(InvalidInput, match="--seeds is -1; 0 is the least"):
        ContinualOptions(seeds=(1, -1))
    with pytest.raises(InvalidInput, match="--seeds takes whole numbers"):
        ContinualOptions.read({"seeds": "one"})


def test_a_result_is_one_line_that_says_where_it_comes_from() -> None:
    made = result("growth", GrowthOptions(threads=3), {"ratio": 1.23456789, "nothing": float("nan"), "per": {1: (2,)}})
    line = json.loads(as_line(made))
    assert "\n" not in as_line(made)
    assert line["benchmark"] == "growth" and line["machine"]["threads"] == 3 and line["machine"]["cores"]
    assert {"date", "commit", "options"} <= line.keys()
    assert (line["ratio"], line["nothing"], line["per"]) == (1.23457, None, {"1": [2]})


def test_progress_tells_the_time_left_and_does_not_count_what_was_done_before(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: moment[0])
    out = io.StringIO()
    progress = Progress(out)
    progress.begin(share=0.5)
    moment[0] += 100
    progress.show(0.75, "half of the rest")
    progress.show(0.76, "too soon for another line")
    progress.show(1.0, "done")
    progress.show(1.0, "done")
    assert out.getvalue().splitlines() == [" 75 %  half of the rest  2 min left", "100 %  done"]


def test_an_unknown_benchmark_is_refused_by_the_process_too() -> None:
    run = importlib.import_module("clm.bench.__main__")
    with pytest.raises(NotFound, match=f"Known: {', '.join(sorted(BENCHMARKS))}"):
        run.measure("speed", {})


def test_general_requests_are_many_and_none_that_the_router_learns_from() -> None:
    assert len(set(GENERAL_REQUESTS)) == len(GENERAL_REQUESTS) >= 60
    known = {prompt.lower().strip("?!. ") for prompt in GENERAL_PROMPTS}
    assert not known & {prompt.lower().strip("?!. ") for prompt in GENERAL_REQUESTS}
    assert len(general_suite()) >= 15
