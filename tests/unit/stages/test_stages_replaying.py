"""How much of the past an update replays, and whose: by strategy and by what slips."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clm.policies import ModelPolicy
from clm.stages.repairs_left import repairs_left
from clm.stages.replaying import Past, budget, recall, share_of

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
        ([{"name": "replay", "share": 0.1}, "distill"], 0.1, ["facts"]),
        (["joint"], math.inf, ["facts"]),
    ],
)
def test_other_tasks_are_replayed_where_they_share_the_adapter(
    strategies: list[Any], share: float, others: list[str]
) -> None:
    chosen = policy(*strategies)
    assert share_of(chosen.training) == share
    asked, found = recall(past(), "intent", chosen, share, NOWHERE)
    assert (asked, found.replay_tasks) == (share, others)
    assert recall(past(), "intent", chosen, 7.0, NOWHERE)[0] == 7  # a repair gets what it asks for
    assert found.memories == {task: {"rec_2", "rec_3"} for task in others}  # without a memory: what they learned from
    assert (found.policy, found.held, found.unseen) == ("balanced", {"bat_1"}, ["rec_9"])


@pytest.mark.parametrize("name", ["finetune", "ewc", "distill", "merge", "freeze", "olora", "domain"])
def test_nothing_is_drawn_for_a_strategy_that_trains_on_no_old_row(name: str) -> None:
    chosen = policy(name)
    assert share_of(chosen.training) == 0
    asked, found = recall(past(), "intent", chosen, 1.5, NOWHERE)
    assert (asked, found.replay_tasks) == (0, [])


@pytest.mark.parametrize(
    ("strategies", "left"),
    [
        (["experts"], (True, 1)),
        ([{"name": "replay", "share": 2}, "distill"], (True, 1)),
        (["ewc"], (True, 0)),  # it replays nothing, so there is nothing to replay more of
        (["replay", "olora"], (False, 1)),
        (["joint"], (False, 0)),  # it replays everything already
    ],
)
def test_a_repair_is_tried_where_it_can_change_something(strategies: list[Any], left: tuple[bool, int]) -> None:
    found = repairs_left(policy(*strategies))
    assert (found.interpolate, found.replay_tries) == left


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
