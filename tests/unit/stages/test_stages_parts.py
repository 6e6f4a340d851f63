"""Which parts are made one unasked: too many, or parts that are confused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clm.formats.answers import AnswerRow, write_answers
from clm.llm.router import Seen, answer_numbers, save_features
from clm.policies import PartsPolicy
from clm.records import Composition, Evaluation
from clm.stages.compositions import composition_with
from clm.stages.confusion import confused
from clm.trigger.policy import by_parts

EXPERTS = Composition("base", {"town": "h0", "words": "h1", "words.2": "h2"}, "router")


@pytest.fixture
def features(tmp_path: Path) -> dict[str, Path]:
    taught = {"town": ["Rome"], "words": ["red", "blue", "both"], "words.2": ["cat", "dog", "both"]}
    return {
        name: save_features(Seen(np.ones((len(said), 2), np.float32), answer_numbers(said), None), tmp_path)[1]
        for name, said in taught.items()
    }


def evaluation(folder: Path, answered: list[tuple[str, str]]) -> Evaluation:
    """(who answered, the right answer) of each held-out prompt of `words`."""
    rows = [("words", *each) for each in answered] + [("town", "words", "Rome")]
    answers = [
        AnswerRow(task, f"{n}", "", routed, None, None, right, 0.0, None, False)
        for n, (task, routed, right) in enumerate(rows)
    ]
    return Evaluation(EXPERTS, {}, str(write_answers(answers, folder / "answers.parquet")))


def test_prompts_that_reach_a_part_without_their_answer_are_counted(features: dict[str, Path], tmp_path: Path) -> None:
    found = evaluation(tmp_path, [
        ("words", "red"), ("words", "both"), ("words.2", "both"), ("words.2", "cat"),
        ("words.2", "blue"),  # wrong
        ("town", "dog"),  # astray, but not to another part
        ("words", "never taught"),
    ])  # fmt: skip
    assert confused(found, features) == {"words": round(1 / 6, 4)}
    alone = replace(found, composition=replace(EXPERTS, experts={"town": "h0", "words": "h1"}))
    assert confused(alone, features) == {}


@pytest.mark.parametrize(("parts", "share", "busy", "said"), [
    (1, 0.9, False, None),
    (3, 0.1, False, None),
    (3, None, False, None),
    (3, 0.2, False, "20% of the held-out prompts"),
    (3, 0.2, True, None),
    (9, 0.0, False, "9 parts, and the policy allows 8"),
])  # fmt: skip
def test_too_many_or_confused_parts_are_made_one(parts: int, share: float | None, busy: bool, said: str | None) -> None:
    decision = by_parts(PartsPolicy(), parts, share, busy)
    assert decision.update == (said is not None)
    assert said is None or said in decision.reason
    assert not by_parts(PartsPolicy(consolidate=False), parts, share, busy).update


def test_an_expert_is_added_put_in_place_or_made_of_several() -> None:
    grown = composition_with(EXPERTS, "new", "other", ("words.3",))
    assert grown.parts("words") == ["words", "words.2", "words.3"] and grown.router_hash == "other"
    assert composition_with(EXPERTS, "new", None, ("words.2",)).experts["words.2"] == "new"
    one = composition_with(EXPERTS, "new", "other", ("words",), merged=("words.2",))
    assert one.experts == {"town": "h0", "words": "new"}
