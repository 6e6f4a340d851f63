"""The state machine: what may follow what, and that a rollout always stays well-formed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clm.deployment.rollout import ENDED, UNDER_WAY, Event, Rollout, allowed_actions, event_of, start, transition
from clm.errors import Conflict

EVENTS: tuple[Event, ...] = ("ready", "step-on", "pause", "resume", "promote", "abort", "roll-back")
shares = st.lists(st.floats(0.1, 99.9), max_size=5, unique=True).map(lambda s: tuple(sorted(s)))


def test_a_canary_goes_step_by_step_to_promoted() -> None:
    rollout = start("canary", (10, 50))
    seen = [rollout.candidate_share]
    for event in ("ready", "step-on", "step-on"):
        rollout = transition(rollout, event)
        seen.append(rollout.candidate_share)
    assert seen == [0, 10, 50, 100]
    assert rollout.state == "promoted"


def test_blue_green_switches_when_the_engine_is_ready() -> None:
    rollout = start("blue-green", (10, 50))
    assert rollout.candidate_share == 0
    assert transition(rollout, "ready").state == "promoted"


def test_a_pause_keeps_the_share_and_resume_goes_on_at_the_step() -> None:
    rollout = transition(transition(start("canary", (10, 50)), "ready"), "step-on")
    paused = transition(rollout, "pause")
    assert (paused.state, paused.candidate_share) == ("paused", 50)
    assert transition(paused, "resume") == rollout


def test_a_refused_event_says_what_is_possible() -> None:
    with pytest.raises(Conflict, match=r"waiting can.t pause\. Possible now: abort, rollback"):
        transition(start("canary", (10,)), "pause")
    with pytest.raises(Conflict, match="it has ended"):
        transition(Rollout("aborted", (10,)), "resume")


@given(shares, st.sampled_from(["canary", "blue-green"]), st.lists(st.sampled_from(EVENTS), max_size=30))
def test_any_sequence_of_events_keeps_the_rollout_well_formed(
    steps: tuple[float, ...], kind: str, events: list[Event]
) -> None:
    rollout = start(kind, steps)
    for event in events:
        before = rollout
        try:
            rollout = transition(rollout, event)
        except Conflict:
            continue
        assert before.state in UNDER_WAY  # nothing leaves an end
        assert 0 <= rollout.candidate_share <= 100
        assert rollout.step == 0 or rollout.step < len(rollout.shares)
        if event in ("step-on", "ready", "promote"):
            assert rollout.candidate_share > before.candidate_share or rollout.state == "promoted"
        if event in ("abort", "roll-back"):
            assert rollout.candidate_share == 0
            assert rollout.state in ENDED


@given(shares.filter(bool), st.lists(st.sampled_from(EVENTS), max_size=30))
def test_allowed_actions_are_exactly_those_that_work(steps: tuple[float, ...], events: list[Event]) -> None:
    rollout = start("canary", steps)
    for event in events:
        for action in ("promote", "pause", "resume", "abort", "rollback"):
            try:
                transition(rollout, event_of(action))
                worked = True
            except Conflict:
                worked = False
            assert worked == (action in allowed_actions(rollout.state))
        try:
            rollout = transition(rollout, event)
        except Conflict:
            continue


def test_a_rollout_under_way_can_always_be_taken_back() -> None:
    for state in UNDER_WAY:
        assert {"abort", "rollback"} <= set(allowed_actions(state))
    for state in ENDED:
        assert allowed_actions(state) == ()
