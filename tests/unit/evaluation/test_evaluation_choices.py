"""Suites with choices: ready-made ones, and how they are scored on a tiny random base with experts."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from clm.errors import InvalidInput, NotFound, Unavailable
from clm.evaluation import job
from clm.evaluation.general import general_suite
from clm.evaluation.harness import harness_suite
from clm.ingest.validation import to_record
from clm.llm.base import load_base
from clm.llm.general_prompts import GENERAL_PROMPTS
from clm.llm.prompts import IGNORED, example_ids
from clm.llm.runtime import Runtime
from clm.records import Json
from evaluation_world import TASKS, Prepare, World, change, write_suites

AT = datetime(2026, 1, 2, tzinfo=UTC)
CONTENTS: list[Json] = [
    {"prompt": f"say abc {n}", "completion": ("abc", "x", "one two")[n % 3], "choices": ["x", "abc", "one two"]}
    for n in range(12)
]


def offer(folder: Path, contents: list[Json]) -> Path:
    """The job's suite, now with choices."""
    write_suites(folder / "suites.parquet", {"letters": [("completion", content) for content in contents]})
    change(folder, metrics={**TASKS, "letters": "choice"})
    return folder


def test_the_likeliest_choice_as_a_whole_is_taken(prepare: Prepare, world: World) -> None:
    rows = pl.read_parquet(
        job.run(offer(prepare("job", {"candidate": ["letters"]}), CONTENTS)).compositions["candidate"].answers,
        glob=False,
    )
    runtime = Runtime(load_base(world.base, threads=1))
    runtime.load_expert(world.experts["letters"].hash, world.experts["letters"].path)
    for content, row in zip(CONTENTS, rows.to_dicts(), strict=True):
        sums: list[float] = []
        for choice in content["choices"]:
            ids, labels = example_ids(runtime.base.tokenizer, "completion", {**content, "completion": choice})
            mean = runtime.log_likelihood([(ids, labels)], row["expert_hash"])[0]
            sums.append(float(mean) * sum(label != IGNORED for label in labels[1:]))
        assert row["score"] == float(content["choices"][int(np.argmax(sums))] == content["completion"])
        assert row["answer"] is None and row["reference"] == content["completion"]
    assert 0 < rows["score"].sum() < len(rows)  # each answer is right for a third of the prompts


def test_known_likelihoods_of_choices_are_reused(prepare: Prepare) -> None:
    job.run(offer(prepare("first", {"champion": ["letters"]}), CONTENTS))
    again = job.run(offer(prepare("again", {"champion": ["letters"]}), CONTENTS)).compositions["champion"]
    assert again.scores["letters"].reused == len(CONTENTS)


def test_an_example_without_choices_is_named(prepare: Prepare) -> None:
    folder = offer(prepare("job", {"champion": []}), [*CONTENTS, {"prompt": "say abc 99", "completion": "abc"}])
    with pytest.raises(InvalidInput, match=r"'letters' is scored by choice, and its held-out example rec_\w+ offers"):
        job.run(folder)


def test_the_general_suite_can_be_taken_in_and_is_not_what_the_router_learns_from() -> None:
    rows = general_suite()
    assert len({row["prompt"] for row in rows}) == len(rows) >= 40
    assert not {row["prompt"] for row in rows} & set(GENERAL_PROMPTS)
    for row in rows:
        taken = to_record(row, task="general", source="test", batch_id="bat_1", ingested_at=AT, max_bytes=10_000)
        assert taken.content["choices"] == row["choices"] and len(taken.content["choices"]) == 3
    places = [row["choices"].index(row["completion"]) for row in rows]
    assert {places.count(place) for place in range(3)} <= {13, 14}


def test_without_the_harness_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", None)
    with pytest.raises(Unavailable, match=r"pip install 'clm\[harness\]'"):
        harness_suite("arc_easy")


@pytest.fixture
def own_tasks(tmp_path: Path) -> Path:
    pytest.importorskip("lm_eval", reason="the LM Evaluation Harness is an extra: pip install '.[harness]'")
    data = tmp_path / "shapes.jsonl"
    data.write_text(
        '{"question": "How many sides has a square?", "options": ["three", "four", "five"], "answer": 1}\n'
        '{"question": "Which is round?", "options": ["a ball", "a box"], "answer": 0}\n'
    )
    common: dict[str, Any] = {
        "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test",
        "doc_to_text": "Q: {{question}}\nA:",
    }  # fmt: skip
    kinds: dict[str, dict[str, Any]] = {
        "multiple_choice": {"doc_to_target": "{{answer}}", "doc_to_choice": "{{options}}",
                            "metric_list": [{"metric": "acc"}]},
        "generate_until": {"doc_to_target": "{{options[answer]}}", "generation_kwargs": {"until": ["\n"]},
                           "fewshot_split": "test", "num_fewshot": 1, "metric_list": [{"metric": "exact_match"}]},
        "loglikelihood": {"doc_to_target": "{{options[answer]}}", "metric_list": [{"metric": "perplexity"}]},
        "loglikelihood_rolling": {"doc_to_text": "", "doc_to_target": "{{question}}",
                                  "metric_list": [{"metric": "word_perplexity"}]},
    }  # fmt: skip
    for kind, own in kinds.items():
        task = {"task": f"own_{kind}", "output_type": kind, **common, **own}
        (tmp_path / f"{kind}.yaml").write_text(yaml.safe_dump(task))
    return tmp_path


def test_tasks_of_the_harness_become_rows(own_tasks: Path) -> None:
    square, ball = "Q: How many sides has a square?\nA:", "Q: Which is round?\nA:"
    assert harness_suite("own_multiple_choice", own_tasks) == (
        "choice",
        [{"prompt": square, "completion": "four", "choices": ["three", "four", "five"]},
         {"prompt": ball, "completion": "a ball", "choices": ["a ball", "a box"]}],
    )  # fmt: skip
    metric, rows = harness_suite("own_generate_until", own_tasks)
    assert (metric, [row["completion"] for row in rows]) == ("exact_match", ["four", "a ball"])
    assert rows[0]["prompt"] == f"{ball} a ball\n\n{square}"  # one example before it
    assert harness_suite("own_generate_until", own_tasks, limit=1, fewshot=0)[1] == [
        {"prompt": square, "completion": "four"}
    ]
    assert harness_suite("own_loglikelihood", own_tasks) == (
        "perplexity", [{"prompt": square, "completion": "four"}, {"prompt": ball, "completion": "a ball"}],
    )  # fmt: skip
    assert harness_suite("own_loglikelihood_rolling", own_tasks)[1][1] == {"text": "Which is round?"}


def test_an_unknown_task_of_the_harness_is_refused(own_tasks: Path) -> None:
    with pytest.raises(NotFound, match="There is no task 'own_thing' in the harness or in"):
        harness_suite("own_thing", own_tasks)
