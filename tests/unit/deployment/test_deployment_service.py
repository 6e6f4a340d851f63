"""Deployments in the database: one champion, shares that add up, ways back, audit and routes that follow."""

import pytest
from sqlalchemy import select

from clm.audit.tables import AuditEntry
from clm.core.database import Database
from clm.core.events import Event
from clm.deployment import repository, service
from clm.errors import Conflict, InvalidInput, NotFound
from clm.policies import RolloutPolicy
from deployments import BAD, CALLER, NOTHING, act, begin, release, seen, tick


def test_a_canary_climbs_its_steps_and_is_promoted(database: Database) -> None:
    rollout = begin(database, "b")
    assert seen(database) == ("a", None, "b", 0)
    assert tick(database, rollout, ready=False) is None
    assert seen(database) == ("a", None, "b", 0)
    tick(database, rollout)
    assert seen(database) == ("a", None, "b", 10)
    assert tick(database, rollout, NOTHING) == "hold"
    assert tick(database, rollout) == "promote"
    assert seen(database) == ("a", None, "b", 50)
    assert tick(database, rollout) == "promote"
    assert seen(database) == ("b", "a", None, 0)
    assert tick(database, rollout) is None  # it has ended
    with database.read() as session:
        row = repository.get_rollout(session, rollout)
        assert [(v["step"], v["verdict"]) for v in row.verdicts] == [(0, "hold"), (0, "promote"), (1, "promote")]
        assert row.finished_at is not None


def test_a_harmful_canary_is_taken_back_and_the_reason_kept(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    assert tick(database, rollout, BAD) == "rollback"
    assert seen(database) == ("a", None, None, 0)
    with database.read() as session:
        row = repository.get_rollout(session, rollout)
        assert row.state == "rolled-back"
        assert "20 errors in 40 requests" in (row.reason or "")


def test_a_paused_canary_stays_but_harm_still_takes_it_back(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    act(database, "pause")
    assert tick(database, rollout) == "promote"
    assert seen(database) == ("a", None, "b", 10)
    assert tick(database, rollout, BAD) == "rollback"
    assert seen(database) == ("a", None, None, 0)


def test_a_release_that_the_engine_refuses_never_gets_traffic(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout, ready=False, error="weights were changed")
    assert seen(database) == ("a", None, None, 0)
    with database.read() as session:
        assert "weights were changed" in (repository.get_rollout(session, rollout).reason or "")


def test_blue_green_switches_at_once(database: Database) -> None:
    rollout = begin(database, "b", RolloutPolicy(kind="blue-green"))
    tick(database, rollout)
    assert seen(database) == ("b", "a", None, 0)


def test_the_same_hold_is_remembered_once(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    for _ in range(5):
        tick(database, rollout, NOTHING)
    with database.read() as session:
        assert len(repository.get_rollout(session, rollout).verdicts) == 1


def test_minimum_seconds_are_waited_for(database: Database) -> None:
    rollout = begin(database, "b", RolloutPolicy(minimum_seconds=60, minimum_requests=1))
    tick(database, rollout)
    assert tick(database, rollout, later=59) == "hold"
    assert tick(database, rollout, later=61) == "promote"


def test_rollback_goes_back_and_forth_and_to_any_that_served(database: Database) -> None:
    for letter in ("b", "c"):
        rollout = begin(database, letter)
        for _ in range(3):
            tick(database, rollout)
    assert seen(database) == ("c", "b", None, 0)
    act(database, "rollback")
    assert seen(database) == ("b", "c", None, 0)
    act(database, "rollback")
    assert seen(database) == ("c", "b", None, 0)
    act(database, "rollback", to="aaaa")
    assert seen(database) == ("a", "c", None, 0)
    with pytest.raises(NotFound, match="No single release 'ffff'"):
        act(database, "rollback", to="ffff")
    with database.read() as session:
        kinds = [row.kind for row in repository.history(session, "support")]
    assert kinds == ["rollback", "rollback", "rollback", "canary", "canary"]


def test_rollback_during_a_rollout_keeps_the_champion(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    act(database, "rollback", reason="looks odd")
    assert seen(database) == ("a", None, None, 0)
    with database.read() as session:
        assert repository.get_rollout(session, rollout).reason == "looks odd"
    with pytest.raises(NotFound, match="none to go back to"):
        act(database, "rollback")


def test_rollback_during_a_rollout_can_name_an_older_release(database: Database) -> None:
    rollout = begin(database, "b", RolloutPolicy(kind="blue-green"))
    tick(database, rollout)
    begin(database, "c")
    act(database, "rollback", to="aaaa")
    assert seen(database) == ("a", "b", None, 0)


def test_what_is_not_possible_is_said(database: Database) -> None:
    with pytest.raises(Conflict, match="nothing to promote"):
        act(database, "promote")
    with pytest.raises(InvalidInput, match="Known: promote, pause"):
        act(database, "explode")
    with pytest.raises(Conflict, match="serves model 'support' already"):
        begin(database, "a")
    begin(database, "b")
    with pytest.raises(Conflict, match="is under way"):
        begin(database, "c")
    with pytest.raises(Conflict, match=r"waiting can.t promote"):
        act(database, "promote")


def test_the_same_update_has_one_rollout(database: Database) -> None:
    first = begin(database, "b", update="upd_1")
    assert begin(database, "b", update="upd_1") == first
    act(database, "abort")
    assert begin(database, "b", update="upd_1") == first  # also when it has ended: a repeated step changes nothing


def test_deploying_first_twice_changes_nothing_and_another_is_refused(database: Database) -> None:
    with database.transaction() as session:
        assert service.deploy_first(session, CALLER, "support", release("a")).revision == 1
    with database.transaction() as session, pytest.raises(Conflict, match="start a rollout"):
        service.deploy_first(session, CALLER, "support", release("b"))


def test_every_change_has_an_audit_entry_and_an_event(database: Database) -> None:
    rollout = begin(database, "b")
    tick(database, rollout)
    act(database, "promote")
    act(database, "rollback")
    with database.read() as session:
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.sequence)))
        events = [e.revision for e in session.scalars(select(Event).where(Event.topic == "deployment"))]
        revision = repository.get_deployment(session, "support").revision
    assert actions[1:] == [
        "deployment.create", "rollout.start", "rollout.ready", "rollout.promote", "deployment.rollback",
    ]  # fmt: skip
    assert events == [1, 2, 3, 4, 5]
    assert revision == 5
