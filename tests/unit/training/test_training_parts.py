"""Grow or refresh: rules where they suffice, and held-back rows on planted cases where they don't."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clm.llm.base import Base, load_base
from clm.llm.experts import load_expert, save_expert
from clm.llm.runtime import Runtime
from clm.policies import PartsPolicy, TrainingPolicy
from clm.records import Json
from clm.training.examples import Example, tokenise
from clm.training.learning import learn
from clm.training.loop import train
from clm.training.part_choice import choose_part
from clm.training.part_trials import decide
from clm.training.parts import Choice, Known, consolidation, next_name, seen_after, settled, with_distillation
from clm.training.routing import see
from clm.training.strategies.hooks import Lesson
from tiny import tiny_base

TRAINING = TrainingPolicy(rank=8, alpha=16, epochs=8, batch_size=4, learning_rate=5e-3, seed=3)
POLICY = PartsPolicy(trial_epochs=4)
COLOURS = ("red", "green", "blue", "grey")
TOWNS = ("Rome", "Oslo", "Bern", "Graz")


def rows(ask: str, answers: tuple[str, ...], start: int, count: int) -> list[Example]:
    return [
        Example(f"{ask} {n}", "completion", {"prompt": ask.format(n, answers[n % 4]), "completion": answers[n % 4]})
        for n in range(start, start + count)
    ]


PAINT, TRAVEL = "paint {} {}", "GO TO {1}, AND TAKE {0} BAGS!"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


@pytest.fixture(scope="module")
def known(base: Base, tmp_path_factory: pytest.TempPathFactory) -> Known:
    """A task with two parts: one knows colours, the other towns."""
    folder = tmp_path_factory.mktemp("experts")
    taught = {"words": rows(PAINT, COLOURS, 0, 40), "words.2": rows(TRAVEL, TOWNS, 0, 40)}
    return Known(
        {name: save_expert(train(base, part, TRAINING).expert, base.hash, folder)[1] for name, part in taught.items()},
        {name: see(base, part, base.reading) for name, part in taught.items()},
    )


def one_part(known: Known) -> Known:
    return Known({"words": known.experts["words"]}, {"words": known.seen["words"]})


@pytest.mark.parametrize(("changes", "said"), [
    ({"policy": PartsPolicy(grow="never")}, "the policy grows no parts"),
    ({"changed": 2}, "2 facts changed"),
    ({"parts": 8}, "the task has 8 parts"),
    ({"new": 19}, "too few to hold any back"),
    ({"old": 3}, "too few to hold any back"),
    ({"new_answers": 0.2, "elsewhere": 0.1}, "more of the same"),
    ({"new_answers": 0.2, "elsewhere": 0.9}, None),
    ({}, None),
])  # fmt: skip
def test_what_can_be_told_without_a_trial(changes: dict[str, Any], said: str | None) -> None:
    given: dict[str, Any] = {"parts": 1, "new_answers": 1.0, "elsewhere": 0.0, "new": 40, "old": 40, "changed": 0,
                             "policy": POLICY, **changes}  # fmt: skip
    evidence: Json = {key: given[key] for key in ("parts", "new_answers", "elsewhere")}
    found = settled(evidence, given["new"], given["old"], given["changed"], given["policy"])
    assert found is None if said is None else found is not None and said in found


def test_a_tie_refreshes_and_only_a_clear_gain_grows() -> None:
    refresh = Choice("refresh", "words", "words", (), "")
    even = np.full(20, 0.5), np.full(20, 0.5)
    better = np.full(20, 0.5), np.linspace(0.6, 0.9, 20)
    unsure = np.tile([0.0, 1.0], 10), np.tile([0.0, 1.05], 10)
    assert decide({"refresh": even, "grow": even}, refresh, "words.2").kind == "refresh"
    assert decide({"refresh": even, "grow": unsure}, refresh, "words.2").kind == "refresh"
    grown = decide({"refresh": even, "grow": better}, refresh, "words.2")
    assert (grown.kind, grown.part, grown.start, grown.replay) == ("grow", "words.2", "words", ())
    assert grown.evidence["gain"] == pytest.approx(0.125) and "0.750" in grown.reason
    assert decide({"grow": better}, refresh, "words.2").kind == "grow"
    assert decide({"refresh": even}, refresh, "words.2").kind == "refresh"


def test_more_of_the_same_refreshes_the_part_that_answers_it(base: Base, known: Known) -> None:
    new, old = rows(TRAVEL, TOWNS, 100, 24), [*rows(PAINT, COLOURS, 0, 20), *rows(TRAVEL, TOWNS, 0, 20)]
    made = choose_part(base, "words", new, old, known, TRAINING, POLICY)
    assert (made.kind, made.part, made.start) == ("refresh", "words.2", "words.2")
    assert "more of the same" in made.reason
    assert list(made.replay) == old[20:]  # the other part's rows are left to it
    assert made == choose_part(base, "words", new, old, known, TRAINING, POLICY)


def test_rows_of_another_kind_are_tried_both_ways(base: Base, known: Known) -> None:
    new, old = rows(TRAVEL, TOWNS, 100, 40), rows(PAINT, COLOURS, 0, 40)
    made = choose_part(base, "words", new, old, one_part(known), TRAINING, POLICY)
    assert made.evidence["new_answers"] == 1.0
    assert {"gain", "standard_error", "grow_new", "grow_old", "refresh_new", "refresh_old"} <= made.evidence.keys()
    assert (made.kind == "grow") == (made.evidence["gain"] > made.evidence["standard_error"])
    assert made.part == ("words.2" if made.kind == "grow" else "words")
    bounded = choose_part(base, "words", new, old, one_part(known), TRAINING, POLICY.model_copy(
        update={"most_parts": 1}))  # fmt: skip
    assert (bounded.kind, bounded.replay) == ("refresh", tuple(old))


def test_a_changed_fact_never_grows_a_part(base: Base, known: Known) -> None:
    paint, travel = rows(PAINT, TOWNS, 0, 12), rows(TRAVEL, COLOURS, 0, 12)
    in_one = choose_part(base, "words", paint, [], known, TRAINING, POLICY, frozenset(row.record_id for row in paint))
    assert (in_one.kind, in_one.part) == ("refresh", "words") and "12 facts changed" in in_one.reason
    both = [replace(row, record_id=f"new {row.record_id}") for row in (*paint, *travel)]
    spread = choose_part(base, "words", both, [], known, TRAINING, POLICY, frozenset(row.record_id for row in both))
    assert (spread.kind, spread.part, spread.merged) == ("consolidate", "words", ("words.2",))


def test_one_expert_of_all_parts_finds_the_prompts_of_all(base: Base, known: Known) -> None:
    old = rows(PAINT, COLOURS, 0, 8)
    made = consolidation("words", old, known, "asked for")
    assert (made.part, made.start, made.merged, made.replay) == ("words", "words", ("words.2",), tuple(old))
    assert made.record()["merged"] == ["words.2"]
    merged = seen_after(base, made, (), known.seen, seed=1)
    assert len(merged.features) == 80 and merged.answers is not None
    assert len(set(merged.answers.tolist())) == 8


def test_parts_are_named_by_number() -> None:
    assert next_name("words", ["words"]) == "words.2"
    assert next_name("words", ["words", "words.3"]) == "words.4"
    assert Known({"a": Path(), "a.10": Path(), "a.2": Path(), "ab": Path()}, {}).parts("a") == ["a", "a.2", "a.10"]


def test_one_expert_of_several_stays_near_what_each_of_them_answered(base: Base, known: Known) -> None:
    tutors = {name: load_expert(path, base) for name, path in known.experts.items()}
    asked = {"words": rows(PAINT, COLOURS, 0, 8), "words.2": rows(TRAVEL, TOWNS, 0, 8)}
    order = [row for part in asked.values() for row in part]
    training = with_distillation(TRAINING)
    assert [chosen.name for chosen in training.strategies] == ["experts", "distill"]
    assert with_distillation(training) is training

    of_row = {row.record_id: tutors[name] for name, part in asked.items() for row in part}
    lesson = Lesson(base, "words", (), {"words": order}, start=tutors["words"], tutors=of_row)
    learned = learn(lesson, training)
    runtime = Runtime(base)
    runtime.experts.update({**tutors, "one": learned.expert})
    tokens = [(each.ids, each.labels) for each in tokenise(base.tokenizer, order, 256)]
    one, first, second = (runtime.log_likelihood(tokens, name) for name in ("one", "words", "words.2"))
    assert one[8:].mean() > first[8:].mean() + 0.5  # it has learned what only the other part knew
    assert np.abs(one - np.concatenate([first[:8], second[8:]])).mean() < 0.5
