"""Evaluation as it is served: slices, taught prompts, stale answers, likelihoods and answers that ramble."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clm.evaluation import job
from clm.evaluation.answer_store import AnswerStore, answer_key
from clm.evaluation.answers import example_scores
from clm.llm.base import load_base
from clm.llm.prompts import example_ids
from clm.llm.runtime import Runtime
from clm.records import BASE, SliceScore
from evaluation_world import Prepare, World, change, change_candidate, write_suites

NEW, OLD, TAUGHT = range(2), range(2, 8), range(8, 12)


@pytest.fixture
def folder(prepare: Prepare, world: World, tmp_path: Path) -> Path:
    """Twelve prompts: two with a new answer, six old ones, four that are taught. The base says `abc` to all."""
    made = prepare("job", {"champion": []}, tasks=["letters"])
    contents = [{"prompt": f"say {n}", "completion": "xyz" if n in NEW else "abc"} for n in range(12)]
    rows = write_suites(made / "suites.parquet", {"letters": [("completion", content) for content in contents]})
    pl.DataFrame(rows).with_columns(
        slice=pl.Series([2 if n in NEW else 1 for n in range(12)]),
        kind=pl.Series(["recall" if n in TAUGHT else "held_out" for n in range(12)]),
        old_answers=pl.Series([json.dumps(["Abc."]) if n in NEW else "[]" for n in range(12)]),
    ).write_parquet(made / "suites.parquet")
    with AnswerStore(tmp_path / "answers", world.base_hash) as store:
        store.save_answers({answer_key(None, str(row["prompt_hash"]), 6): "abc" for row in rows})
    return made


def test_slices_are_scored_apart_and_taught_prompts_are_no_part_of_the_score(folder: Path) -> None:
    score = job.run(folder).compositions["champion"].scores["letters"]
    assert (score.score, score.n) == (6 / 8, 8)
    assert score.slices == (
        SliceScore(0, "recall", 1.0, 4), SliceScore(1, "held_out", 1.0, 6), SliceScore(2, "held_out", 0.0, 2, stale=2)
    )  # fmt: skip


def test_the_suites_version_does_not_hang_on_which_prompts_are_recalled(folder: Path, tmp_path: Path) -> None:
    before = job.run(folder).compositions["champion"].scores["letters"].suite_hash
    fewer = tmp_path / "fewer.parquet"
    pl.read_parquet(folder / "suites.parquet", glob=False).head(10).write_parquet(fewer)
    change(folder, suites=fewer)
    (folder / "result.json").unlink()
    assert job.run(folder).compositions["champion"].scores["letters"].suite_hash == before


def test_the_gate_gets_routes_slices_and_likelihoods_of_the_right_answers(folder: Path, world: World) -> None:
    found = example_scores(job.run(folder).compositions["champion"].answers)["letters"]
    assert [example.stale for example in found] == [n in NEW for n in range(12)]
    assert {example.answered_by for example in found} == {BASE}
    assert [example.slice for example in found] == [2, 2, *[1] * 10]
    runtime = Runtime(load_base(world.base, threads=1))
    asked = [{"prompt": f"say {n}", "completion": "xyz" if n in NEW else "abc"} for n in range(12)]
    ids = [example_ids(runtime.base.tokenizer, "completion", content) for content in asked]
    measured = [example.likelihood for example in found]
    assert None not in measured
    assert np.array(measured, float) == pytest.approx(runtime.log_likelihood(ids, None), rel=1e-4)


def test_likelihoods_are_measured_only_where_they_are_asked_for(folder: Path) -> None:
    change_candidate(folder, "champion", likelihoods=False)
    rows = pl.read_parquet(job.run(folder).compositions["champion"].answers, glob=False)
    assert rows["likelihood"].null_count() == 12 and not rows["answer"].null_count()


def test_an_answer_may_ramble_as_long_as_it_is_served(prepare: Prepare) -> None:
    """The references are four tokens long; what is served may get twenty, and who goes on that long is wrong."""
    folder = prepare("long", {"champion": []}, tasks=["letters"], max_new_tokens=20)
    rows = pl.read_parquet(job.run(folder).compositions["champion"].answers, glob=False)
    assert set(rows["max_new_tokens"]) == {20}
    assert max(map(len, rows["answer"].to_list())) > len("abc") + 8
