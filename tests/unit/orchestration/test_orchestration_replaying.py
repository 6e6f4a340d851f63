"""How much of the past an update replays, and whose: by strategy and by what slips."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clm.orchestration.replaying import Past, budget, recall
from clm.policies import ModelPolicy

NOWHERE = Path("no memory is opened")
LINEAGE: dict[str, Any] = {
    "intent": {"record_ids": ["rec_1"], "mixture": {"left_out": ["rec_9"]}},
    "facts": {"record_ids": ["rec_2", "rec_3"], "mixture": {}},
}


def policy(*strategies: Any, memory: str = "balanced") -> ModelPolicy:
    return ModelPolicy.model_validate({"training": {"strategies": strategies}, "memory": {"policy": memory}})


def past(**slipped: float) -> Past:
    return Past(LINEAGE, slipped, frozenset({"bat_1"}))


@pytest.mark.parametrize(
    ("strategies", "share", "others"),
    [
        (["experts"], 0.5, []),
        (["experts", {"name": "replay", "share": 2}], 2, []),
        (["finetune"], 0.5, []),
        (["finetune", {"name": "replay", "share": 2}], 2, ["facts"]),
        ([{"name": "replay", "share": 0.1}, "distill"], 0.5, ["facts"]),  # a repair may ask for more than the strategy
        (["joint"], math.inf, ["facts"]),
    ],
)
def test_other_tasks_are_replayed_where_they_share_the_adapter(
    strategies: list[Any], share: float, others: list[str]
) -> None:
    asked, found = recall(past(), "intent", policy(*strategies), 0.5, NOWHERE)
    assert (asked, found.replay_tasks) == (share, others)
    assert found.memories == {task: {"rec_2", "rec_3"} for task in others}  # without a memory: what they learnt from
    assert (found.policy, found.held, found.unseen) == ("balanced", {"bat_1"}, ["rec_9"])


def test_feedback_replays_more_of_what_slips_and_keeps_more_of_it() -> None:
    by_feedback = policy("replay", memory="feedback")
    margin = by_feedback.gate.margin
    asked, found = recall(past(intent=margin / 2), "intent", by_feedback, 0.5, NOWHERE)
    assert (asked, found.shares) == (0.75, {"intent": 1.5, "facts": 1.0})
    assert [budget(past(intent=slip), "intent", by_feedback) for slip in (0, margin, 1)] == [0.5, 1, 1]
    asked, found = recall(past(intent=1.0), "intent", policy("replay"), 0.5, NOWHERE)
    assert (asked, found.shares) == (0.5, {"intent": 1, "facts": 1})
    assert budget(past(), "intent", policy("replay")) == 1


def test_feedback_replays_more_of_a_task_that_weighs_more() -> None:
    weighed = replace(past(facts=1.0), weights={"facts": 3.0, "gone": 9.0})
    assert recall(weighed, "intent", policy("replay", memory="feedback"), 0.5, NOWHERE)[1].shares == {
        "intent": 1.0,
        "facts": 6.0,
    }
    assert recall(weighed, "intent", policy("replay"), 0.5, NOWHERE)[1].shares == {"intent": 1, "facts": 1}


def test_a_new_task_has_no_past() -> None:
    asked, found = recall(past(), "details", policy("experts"), 0.5, NOWHERE)
    assert (asked, found.memories, found.unseen) == (0.5, {}, [])
