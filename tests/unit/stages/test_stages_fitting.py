"""Held-out examples that can't be asked are left out and named; a suite of which nothing is left stops the update."""

import json
from pathlib import Path

import pytest

from clm.errors import InvalidInput
from clm.llm.fitness import Fitness
from clm.llm.tokenizer import ChatTokenizer
from clm.records import Json
from clm.stages.fitting import Examiner, sentence, told
from tiny import tiny_base


def row(n: int, prompt: str = "q", task: str = "intent") -> Json:
    content = json.dumps({"prompt": prompt, "completion": "a"})
    return {"record_id": f"rec_{n}", "task": task, "shape": "completion", "content": content}


def test_only_examples_that_can_be_asked_stay_and_a_task_needs_one(tmp_path: Path) -> None:
    fitness = Fitness(ChatTokenizer(tiny_base(tmp_path)), 2048, 512)
    examiner = Examiner(fitness, {"intent": "exact_match", "quiz": "choice"})
    kept = [examiner.keep(each) for each in (row(1), row(2, "q" * 3000), row(3, task="quiz"))]
    assert kept == [True, False, False]
    assert examiner.left_out.keys() == {"rec_2", "rec_3"}
    examiner.check_left({"intent"})
    with pytest.raises(
        InvalidInput, match=r"No held-out example of task 'quiz'.*The first: rec_3: choices are missing"
    ):
        examiner.check_left({"intent", "quiz"})


def test_what_was_left_out_is_told_shortly() -> None:
    many = {f"rec_{n:02}": "is long." for n in range(30)}
    assert sentence({}, "rows") == "" and len(told(many)) == 20
    assert sentence(many, "rows were") == (
        " 30 rows were left out: rec_00: is long; rec_01: is long; rec_02: is long; and 27 more."
    )
