from dataclasses import replace

import pytest

from clm.policies import ModelPolicy, RepairPolicy, TrainingPolicy
from clm.records import GateVerdict, RepairTry, TaskVerdict, VerdictName, kept_try
from clm.stages import repair_plan as plan
from clm.stages.repairs_left import STARTS_FRESH, kinds_of_tries
from clm.strategies import by_name
from clm.training.strategies import STRATEGIES, build_strategies
from clm.training.strategies.hooks import Strategy

LOOK = RepairTry("interpolate", 0.5, None, "ab" * 32, {"colour": 0.8}, 0.1, "pass", "colour: 0.80 against 0.70")
AGAIN = RepairTry("replay", None, 1.5, "cd" * 32, {"colour": 0.8}, 0.1, "pass", "colour: 0.80 against 0.70")
POLICY = RepairPolicy(looks=3, replay_tries=2, replay_factor=3.0)


def look(step: float, verdict: VerdictName, gain: float = 0.1) -> RepairTry:
    return replace(LOOK, step=step, verdict=verdict, gain=gain, no_loss=verdict == "pass")


def search(largest: float, policy: RepairPolicy = POLICY) -> list[RepairTry]:
    """Looks until the plan asks for something else; steps up to `largest` pass."""
    tries: list[RepairTry] = []
    while isinstance(following := plan.next_try(policy, 0.5, True, tries), plan.Interpolate):
        tries.append(look(following.step, "pass" if following.step <= largest else "fail"))
    return tries


@pytest.mark.parametrize(
    ("largest", "steps", "kept"),
    [(0.9, [0.25, 0.5, 0.75], 2), (0.7, [0.25, 0.5, 0.75], 1), (0.3, [0.25, 0.5], 0), (0.0, [0.25], None)],
)
def test_steps_grow_until_one_does_not_pass_and_the_last_that_passed_is_kept(
    largest: float, steps: list[float], kept: int | None
) -> None:
    tries = search(largest)
    assert [one.step for one in tries] == steps
    assert kept_try(tries) == kept
    following = plan.next_try(POLICY, 0.5, True, tries)
    assert following == (plan.Replay(1.5) if kept is None else None)


def test_a_step_without_loss_and_without_gain_is_no_repair_but_larger_ones_are_looked_at() -> None:
    tries = [look(0.25, "pass", gain=0.0)]
    assert not tries[0].helps
    assert plan.next_try(POLICY, 0.5, True, tries) == plan.Interpolate(0.5)
    assert "gains nothing" in plan.story("colour", tries)
    undecided = replace(LOOK, step=0.25, verdict="inconclusive", no_loss=True)  # nothing gained on the new slice
    assert plan.next_try(POLICY, 0.5, True, [undecided]) == plan.Interpolate(0.5)


def test_a_loss_by_route_asks_for_a_handicap_and_nothing_is_trained() -> None:
    tries: list[RepairTry] = []
    for handicap in (1.1, 1.21):
        attempt = plan.next_try(POLICY, 0.5, False, tries, by_route=True)
        assert isinstance(attempt, plan.Reroute) and attempt.handicap == pytest.approx(handicap)
        tries.append(replace(plan.begun(attempt), verdict="fail", gain=0.1))
    assert plan.next_try(POLICY, 0.5, True, tries, by_route=True) is None
    helped = replace(tries[0], verdict="pass")
    assert plan.next_try(POLICY, 0.5, True, [helped], by_route=True) is None and kept_try([helped]) == 0
    assert "1.21 times as far" in plan.story("colour", tries)


def test_only_tasks_that_were_not_taught_and_lost_prompts_are_lost_by_route() -> None:
    def told(task: str, difference: float, changed: int | None, name: VerdictName = "fail") -> TaskVerdict:
        return TaskVerdict(task, name, "", 0.5, 0.5, difference, -0.1, 0.05, 20, changed=changed)

    taught, other, same = told("a", 0.1, 20, "pass"), told("b", -0.2, 4), told("c", 0.0, 0, "pass")
    assert plan.lost_by_route(GateVerdict("fail", "", (taught, other, same)), {"a"})
    assert not plan.lost_by_route(GateVerdict("fail", "", (told("a", -0.2, 20), other)), {"a"})
    assert not plan.lost_by_route(GateVerdict("fail", "", (taught, told("b", -0.2, 0))), {"a"})
    assert not plan.lost_by_route(GateVerdict("inconclusive", "", (taught, told("b", 0.0, 2, "inconclusive"))), {"a"})


def test_the_error_rate_is_split_among_the_kinds_of_tries() -> None:
    def policy(*strategies: str, **repair: int | bool) -> ModelPolicy:
        return ModelPolicy.model_validate({"training": {"strategies": strategies}, "repair": repair})

    assert kinds_of_tries(policy("experts", replay_tries=2, route_tries=1), refreshes=True) == 3
    assert kinds_of_tries(policy("experts", replay_tries=2, route_tries=1), refreshes=False) == 1
    assert kinds_of_tries(policy("finetune", route_tries=2), refreshes=False) == 0


def test_replay_grows_with_each_try_and_ends() -> None:
    tries = search(0.0)
    failed = replace(AGAIN, verdict="fail", gain=-0.1)
    assert plan.next_try(POLICY, 0.5, True, [*tries, failed]) == plan.Replay(4.5)
    assert plan.next_try(POLICY, 0.5, True, [*tries, failed, failed]) is None
    assert plan.next_try(POLICY, 0.5, True, [*tries, AGAIN]) is None
    assert plan.next_try(POLICY, 0.0, True, tries) == plan.Replay(1.5)  # a policy without replay starts with some


def test_what_can_not_be_done_is_not_done_again() -> None:
    refused = replace(LOOK, verdict="error", no_loss=False, gain=None, scores={}, reason="The ranks differ.")
    assert plan.next_try(POLICY, 0.5, True, [refused]) == plan.Replay(1.5)
    nothing_left = replace(AGAIN, verdict="error", gain=None, scores={}, reason="No older rows.")
    assert plan.next_try(POLICY, 0.5, True, [refused, nothing_left]) is None


def test_the_policy_and_a_first_lesson_leave_nothing_to_try() -> None:
    assert plan.next_try(POLICY, 0.5, False, []) is None
    assert plan.next_try(RepairPolicy(interpolate=False, replay_tries=0), 0.5, True, []) is None
    assert plan.next_try(RepairPolicy(interpolate=False), 0.5, True, []) == plan.Replay(1.5)


def verdict(name: VerdictName, *differences: float) -> GateVerdict:
    tasks = tuple(TaskVerdict(f"t{n}", name, "", 0.5, 0.5, d, -0.1, 0.05, 20) for n, d in enumerate(differences))
    return GateVerdict(name, "", tasks)


def test_only_a_measured_loss_is_repaired() -> None:
    assert plan.worth_repairing(verdict("fail", -0.3, 0.0))
    assert plan.worth_repairing(verdict("inconclusive", 0.1, -0.02))
    assert not plan.worth_repairing(verdict("inconclusive", 0.0, 0.02))
    assert not plan.worth_repairing(verdict("pass", 0.0))


def test_the_story_names_every_try_and_what_came_of_it() -> None:
    tries = [look(0.5, "fail", -0.2), replace(AGAIN, verdict="error", gain=None, scores={}, reason="No older rows.")]
    assert plan.story("colour", tries) == (
        "2 repairs were tried and none helped (step 0.5 from the old expert to the new: gate fail, colour -0.20; "
        "trained again with 1.5 older rows per new row: No older rows)."
    )
    assert plan.story("colour", [tries[0], look(0.25, "pass")]) == (
        "Repaired by try 2 of 2: step 0.25 from the old expert to the new passes the gate and gains colour +0.10."
    )
    assert plan.sentence(0, "colour", tries[0]) == (
        "Try 1, step 0.5 from the old expert to the new (expert abababababab): colour 0.80; gate fail, colour -0.20."
    )


def test_repair_knows_every_strategy_that_starts_fresh() -> None:
    built = {name: build_strategies((by_name(name),), TrainingPolicy())[0] for name in STRATEGIES}
    fresh = {name for name, one in built.items() if type(one).starts_fresh is not Strategy.starts_fresh}
    assert fresh == set(STARTS_FRESH)
