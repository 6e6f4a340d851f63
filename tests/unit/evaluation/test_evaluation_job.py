"""Evaluation for real, on a tiny random base with two experts and a router."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from clm.core.content import content_hash
from clm.core.files import read_json, write_json
from clm.core.hashing import sha256_json
from clm.errors import InvalidInput
from clm.evaluation import evaluator, job
from clm.evaluation.answer_store import AnswerStore, answer_key
from clm.evaluation.answers import example_scores, probes
from clm.evaluation.gate import judge
from clm.jobs.evaluation import EarlyStop, EvaluationResult
from clm.jobs.files import read_result
from clm.jobs.job import Stored
from clm.llm.base import load_base
from clm.llm.blends import blend_name
from clm.llm.experts import new_expert, save_expert
from clm.llm.prompts import prompt_ids
from clm.llm.router import load_router, save_router
from clm.llm.runtime import GenerationRequest, Runtime
from clm.records import BASE, Json
from evaluation_world import TASKS, Prepare, World, change_candidate, suite, write_suites


def test_candidate_and_champion_are_answered_scored_and_stored(world: World, prepare: Prepare) -> None:
    folder = prepare("job", {"champion": [], "candidate": list(TASKS)})
    result = job.run(folder).compositions
    candidate, champion = result["candidate"].scores, result["champion"].scores
    assert set(candidate) == set(champion) == set(TASKS)
    assert {t: s.n for t, s in candidate.items()} == {"letters": 6, "numbers": 5, "prose": 4}
    assert all(0 <= s.score <= 1 for s in (*candidate.values(), *champion.values()))
    assert candidate["prose"].score != champion["prose"].score
    assert candidate["letters"].suite_hash == sha256_json(
        sorted(content_hash(shape, content) for shape, content in suite("letters"))
    )

    rows = {
        (r["task"], r["example_id"]): r for r in pl.read_parquet(result["candidate"].answers, glob=False).to_dicts()
    }
    assert len(rows) == 15
    for (task, _), row in rows.items():
        assert row["routed"] in TASKS
        assert row["expert_hash"] == world.experts[row["routed"]].hash
        assert (row["answer"] is None) == (task == "prose")
    misrouted = sum(s.misrouted for s in candidate.values())
    assert misrouted == sum(row["routed"] != task for (task, _), row in rows.items())
    base_rows = pl.read_parquet(result["champion"].answers, glob=False)
    assert set(base_rows["routed"]) == {BASE} and base_rows["expert_hash"].null_count() == 15
    assert sum(s.misrouted for s in champion.values()) == 0
    scores = example_scores(result["candidate"].answers)
    assert {task: len(examples) for task, examples in scores.items()} == {"letters": 6, "numbers": 5, "prose": 4}

    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == lines[-1]["steps"] and lines[-1]["stage"] == "evaluate"


def test_answers_equal_those_of_the_runtime_alone(world: World, prepare: Prepare) -> None:
    """What the parity check later asks of the engine: prompt by prompt, the same text by the same expert."""
    from clm.llm.prompts import prompt_ids
    from clm.llm.runtime import GenerationRequest

    folder = prepare("job", {"candidate": list(TASKS)})
    job.run(folder)
    runtime = Runtime(load_base(world.base, threads=1))
    found = probes(folder, 7)
    assert len(found) == 7
    assert [probe.shape for probe in found[:4]] == ["completion", "messages", "completion", "messages"]
    for probe in found:
        expert = world.experts[probe.routed]
        runtime.load_expert(expert.hash, expert.path)
        ids = prompt_ids(runtime.base.tokenizer, probe.shape, probe.content)
        request = GenerationRequest(ids, expert.hash, max_new_tokens=probe.max_new_tokens)
        assert runtime.generate([request])[0].text == probe.answer


def test_no_answer_file_means_no_probe(tmp_path: Path) -> None:
    assert probes(tmp_path, 5) == []


def test_a_changed_expert_costs_only_its_own_examples(prepare: Prepare, world: World) -> None:
    job.run(prepare("first", {"champion": list(TASKS)}))
    again = job.run(prepare("again", {"champion": list(TASKS)})).compositions["champion"].scores
    assert {task: s.reused for task, s in again.items()} == {"letters": 6, "numbers": 5, "prose": 4}

    swapped = prepare("swapped", {"candidate": list(TASKS)})
    change_candidate(swapped, experts={**world.experts, "letters": world.experts["prose"]})
    rows = pl.read_parquet(job.run(swapped).compositions["candidate"].answers, glob=False)
    assert rows.filter(pl.col("routed") != "letters")["reused"].all()
    new = rows.filter(pl.col("routed") == "letters")
    assert len(new) and not new["reused"].any()


EARLY_STOP = EarlyStop({"letters": 0.05}, confidence=0.95, claims=2)


def ask_eighty(folder: Path, tmp_path: Path, world: World, answer: str) -> None:
    """Eighty examples of `letters`, to which the base is known to answer right and each expert this."""
    contents: list[Json] = [{"prompt": f"say abc {n}", "completion": "abc"} for n in range(80)]
    rows = write_suites(folder / "suites.parquet", {"letters": [("completion", content) for content in contents]})
    with AnswerStore(tmp_path / "answers", world.base_hash) as store:
        for row in rows:
            asked = str(row["prompt_hash"])
            store.save_answers({answer_key(expert.hash, asked, 6): answer for expert in world.experts.values()})
            store.save_answers({answer_key(None, asked, 6): "abc"})


def test_a_task_that_is_clearly_worse_is_not_answered_to_its_end(
    prepare: Prepare, world: World, tmp_path: Path
) -> None:
    folder = prepare("job", {"champion": [], "candidate": list(TASKS)}, tasks=["letters"], early_stop=EARLY_STOP)
    ask_eighty(folder, tmp_path, world, answer="xyz")
    result = job.run(folder).compositions
    assert (
        result["champion"].scores["letters"].n,
        result["candidate"].scores["letters"].n,
    ) == (80, 20)
    verdict = judge(
        example_scores(result["candidate"].answers),
        example_scores(result["champion"].answers),
        EARLY_STOP.margins,
        EARLY_STOP.confidence,
        early_stop=True,
    )
    assert verdict.verdict == "fail" and "on 20 of 80 examples" in verdict.reason


def test_what_is_not_clearly_worse_is_answered_in_full_and_in_the_suites_order(
    prepare: Prepare, world: World, tmp_path: Path
) -> None:
    whole = prepare("whole", {"champion": [], "candidate": list(TASKS)}, tasks=["letters"])
    ask_eighty(whole, tmp_path, world, answer="abc")
    looked = prepare("looked", {"champion": [], "candidate": list(TASKS)}, tasks=["letters"], early_stop=EARLY_STOP)
    shutil.copy(whole / "suites.parquet", looked / "suites.parquet")
    answers = [Path(job.run(folder).compositions["candidate"].answers) for folder in (whole, looked)]
    assert pl.read_parquet(answers[0], glob=False).equals(pl.read_parquet(answers[1], glob=False))
    suite = pl.read_parquet(whole / "suites.parquet", glob=False)
    assert pl.read_parquet(answers[1], glob=False)["example_id"].to_list() == suite["example_id"].to_list()


def test_a_composition_may_be_asked_for_some_tasks_only(prepare: Prepare) -> None:
    folder = prepare("job", {"champion": list(TASKS), "best-v3": list(TASKS)})
    change_candidate(folder, "best-v3", tasks=("numbers",))
    result = job.run(folder).compositions
    assert list(result["best-v3"].scores) == ["numbers"]
    assert result["best-v3"].scores["numbers"].reused == 5
    assert set(example_scores(result["best-v3"].answers)) == {"numbers"}


def run_as_process(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


@pytest.mark.usefixtures("process")
def test_known_answers_need_neither_torch_nor_weights(prepare: Prepare, world: World, tmp_path: Path) -> None:
    first = job.run(prepare("first", {"candidate": list(TASKS)}))
    bare = tmp_path / "bases" / world.base_hash  # the base without its weights
    bare.unlink()
    shutil.copytree(world.base, bare, ignore=shutil.ignore_patterns("*.safetensors"))
    folder = prepare("second", {"candidate": list(TASKS)})
    code = (
        "import sys; from clm.evaluation import job; code = job.main(); sys.exit(code or 7 * ('torch' in sys.modules))"
    )
    done = run_as_process(folder, code)
    assert done.returncode == 0, done.stderr
    second = read_result(folder, EvaluationResult)
    assert second is not None
    assert [s.score for s in second.compositions["candidate"].scores.values()] == [
        s.score for s in first.compositions["candidate"].scores.values()
    ]


@pytest.mark.usefixtures("process")
def test_an_interrupted_job_keeps_its_answers(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluator, "CHUNK", 2)
    folder = prepare("job", {"champion": []}, tasks=["letters"])
    code = (
        "import os, sys\n"
        "from clm.evaluation import evaluator, job\n"
        "evaluator.CHUNK = 2\n"
        "job._Progress.__call__ = lambda self, done, total: os._exit(9) if done >= 4 else None\n"
        "job.main()"
    )
    assert run_as_process(folder, code).returncode == 9
    assert not (folder / "result.json").exists()
    result = job.run(folder).compositions
    assert result["champion"].scores["letters"].reused == 4
    assert job.run(folder).compositions == result  # done is done


def test_what_can_not_be_done_is_told_in_a_sentence(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare("job", {"champion": []}, tasks=["letters"])
    content = read_json(folder / "job.json")
    write_json(folder / "job.json", {**content, "metrics": {"letters": "bleu"}})
    monkeypatch.setattr(sys, "argv", ["job", str(folder)])
    assert job.main() == 1
    report = read_json(folder / "error.json")
    assert (
        report["title"] == InvalidInput.title
        and "metrics.letters" in report["sentence"]
        and "exact_match" in report["sentence"]
    )
    write_json(folder / "job.json", content)

    pl.read_parquet(folder / "suites.parquet", glob=False).clear().write_parquet(folder / "suites.parquet")
    with pytest.raises(InvalidInput, match="--suite"):
        job.run(folder)


def test_a_broken_expert_does_not_get_a_score(prepare: Prepare, world: World, tmp_path: Path) -> None:
    """Finite weights that overflow: the likelihood is no number, and no score is made up."""
    base = load_base(world.base, threads=1)
    expert = new_expert(base, base.trunk_layers, rank=4, alpha=8, seed=1)
    for _, second in expert.weights.values():
        second.fill_(3e38)
    broken = Stored(*save_expert(expert, base.hash, tmp_path / "experts"))
    folder = prepare("job", {"candidate": list(TASKS)}, tasks=["prose"])
    change_candidate(folder, experts=dict.fromkeys(TASKS, broken))
    with pytest.raises(evaluator.TrainingFailed, match="not a number"):
        job.run(folder)
    assert not (folder / "result.json").exists()


def test_a_mixing_router_is_evaluated_as_it_is_served(world: World, prepare: Prepare) -> None:
    router = load_router(world.router.path)
    mixing = replace(router, experts=2, sharpness=0.01)  # soft enough that both nearest get a share
    stored = Stored(*save_router(mixing, world.root / "routers"))
    folder = prepare("job", {"candidate": list(TASKS)}, tasks=["letters"])
    change_candidate(folder, router=stored)
    rows = pl.read_parquet(job.run(folder).compositions["candidate"].answers, glob=False).to_dicts()

    base = load_base(world.base, threads=1)
    runtime = Runtime(base)
    for expert in world.experts.values():
        runtime.load_expert(expert.hash, expert.path)
    ids = {row["example_id"]: prompt_ids(base.tokenizer, *one) for row, one in zip(rows, suite("letters"), strict=True)}
    mixes = mixing.mix(runtime.features(list(ids.values())))
    for row, mix in zip(rows, mixes, strict=True):
        name = blend_name([(world.experts[task].hash, weight) for task, weight in mix])
        assert row["routed"] == mix[0][0] and row["expert_hash"] == name
        request = GenerationRequest(ids[row["example_id"]], name, max_new_tokens=row["max_new_tokens"])
        assert row["answer"] == runtime.generate([request])[0].text
    assert any("+" in row["expert_hash"] for row in rows)
