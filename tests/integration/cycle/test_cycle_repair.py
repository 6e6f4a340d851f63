"""A refresh that really fails: repaired where that is possible, rejected with the whole story where it is not."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from clm.audit import service as audit
from clm.audit.tables import AuditEntry
from clm.catalog import service as catalog
from clm.deployment import repository as deployments
from clm.policies import ModelPolicy
from clm.registry import bundle as bundles
from clm.updates import log
from clm.updates import repository as update_rows
from clm.updates.tables import Update
from clm.updates.views import update_out
from cycle_home import MODEL, TEST, Home

TASK = "letters"
FIRST, SECOND = ("red", "sky"), ("bus", "oak")


def policy(**repair: Any) -> ModelPolicy:
    return ModelPolicy.model_validate(
        {
            "training": {
                "rank": 8,
                "alpha": 16,
                "epochs": 8,
                "learning_rate": 5e-3,
                "refresh_rate": 1.0,
                "replay_share": 0.0,
            },
            "rollout": {"kind": "blue-green"},
            "gate": {"margin": 0.1},
            "repair": repair,
            "generation": {"max_new_tokens": 4},
        }
    )


def letters(words: tuple[str, ...], start: int, count: int, *, flipped: bool = False) -> list[dict[str, str]]:
    """The answer is the word's first letter; flipped: that of the other word."""
    numbers = range(start, start + count)
    return [{"prompt": f"{words[n % 2]} {n}", "completion": words[(n + flipped) % 2][0]} for n in numbers]


def learned(home: Home, suite: list[dict[str, str]]) -> Update:
    """The home after a first lesson in FIRST."""
    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name=TASK, holdout=0.0)
    home.take(TASK, suite, suite=True)
    home.take(TASK, letters(FIRST, 100, 48))
    first = home.run_update(TASK)
    assert first.state == "succeeded", first.outcome
    return first


def ask_for_a_harmful_refresh(home: Home) -> str:
    """A good lesson in SECOND, with some wrong answers about FIRST in it; the suite asks for both."""
    learned(home, letters(FIRST, 200, 36) + letters(SECOND, 200, 12))
    home.take(TASK, letters(SECOND, 100, 48) + letters(FIRST, 300, 16, flipped=True))
    return home.ask_for_update(TASK)


def scores_before_repair(home: Home, update: Update) -> tuple[dict[str, Any], dict[str, Any]]:
    with home.database.read() as session:
        stages = {stage.name: stage for stage in update_rows.stages_of(session, update.id)}
        assert stages["gate"].state == "failed"
        return stages["gate"].detail or {}, stages["evaluate"].detail or {}


def test_a_failing_refresh_becomes_a_passing_release(make_home: Callable[..., Home]) -> None:
    home = make_home(policy=policy(replay_tries=0))
    update = home.finish(ask_for_a_harmful_refresh(home))

    said, scores = scores_before_repair(home, update)  # it would have failed
    assert said["verdict"] == "fail"
    assert scores["candidate"][TASK] < scores["champion"][TASK] - 0.1

    assert update.state == "succeeded", update.outcome
    with home.database.read() as session:
        shown = update_out(session, update)
        release = update.release_id or ""
        assert deployments.get_deployment(session, MODEL).champion == release
    (kept,) = [one for one in shown.tries if one.kept]
    print([(one.step, one.scores, one.verdict) for one in shown.tries])
    assert kept.kind == "interpolate"
    assert kept.step is not None
    assert 0 < kept.step < 1
    assert kept.scores[TASK] > scores["champion"][TASK]
    assert "repair" in [stage.name for stage in shown.stages]
    assert shown.verdict is not None
    assert shown.verdict.verdict == "pass"

    manifest = bundles.load_bundle(home.settings.paths.releases / release, home.settings.paths.keys).manifest
    assert manifest["experts"][TASK]["hash"] == kept.expert_hash
    assert [one["step"] for one in manifest["lineage"]["repair"]] == [one.step for one in shown.tries]
    told = [line["message"] for line in log.read(home.settings.paths.updates / update.id)]
    assert sum(line.startswith("Try ") for line in told) == len(shown.tries)
    assert any(line.startswith(f"Repaired by try {shown.tries.index(kept) + 1}") for line in told)


def test_what_can_not_be_repaired_is_rejected_with_the_whole_story(make_home: Callable[..., Home]) -> None:
    """Exchanged answers: the champion knows everything that the suite asks, so no part of them can gain anything."""
    home = make_home(policy=policy(looks=2, replay_tries=1))
    first = learned(home, letters(FIRST, 200, 24))
    home.take(TASK, letters(FIRST, 300, 24, flipped=True))
    update = home.run_update(TASK)

    said, scores = scores_before_repair(home, update)
    assert scores["champion"][TASK] == 1.0
    assert said["verdict"] == "fail"
    assert update.state == "rejected", update.outcome
    assert update.release_id is None
    with home.database.read() as session:
        shown = update_out(session, update)
        assert deployments.get_deployment(session, MODEL).champion == first.release_id
        ended = session.query(AuditEntry).filter_by(object_id=update.id, action="update.rejected").one()
    assert [(one.kind, one.step is None) for one in shown.tries] == [
        ("interpolate", False), ("replay", True),
    ]  # fmt: skip
    assert shown.tries[1].replay_share == 1.5
    assert not any(one.kept for one in shown.tries)
    assert "2 repairs were tried and none helped" in (update.outcome or "")
    assert (ended.after or {})["repairs_tried"] == 2


@pytest.mark.usefixtures("process")
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_in_the_middle_of_repair_it_ends_as_if_undisturbed(make_home: Callable[..., Home]) -> None:
    ends: list[dict[str, Any]] = []
    for name in ("undisturbed", "killed"):
        home = make_home(name, policy(looks=2, replay_tries=0))
        update_id = ask_for_a_harmful_refresh(home)
        for point in ("repair.tried", "repair.done") if name == "killed" else ():
            worker = home.start_worker(failpoint=f"{point}:kill")
            assert worker.wait(timeout=600) == -signal.SIGKILL, point
        update = home.finish_by_worker(update_id) if name == "killed" else home.finish(update_id)
        with home.database.read() as session:
            assert audit.verify(session, home.settings.paths).ok
            stages = {stage.name: stage.state for stage in update_rows.stages_of(session, update_id)}
        told = [line["message"] for line in log.read(home.settings.paths.updates / update_id)]
        ends.append({"state": update.state, "release": update.release_id, "tries": update.tries, "stages": stages,
                     "told": [line for line in told if line.startswith(("Try ", "Repaired"))]})  # fmt: skip
    assert ends[0] == ends[1]
    assert ends[0]["state"] == "succeeded"
    assert len(ends[0]["tries"]) == 2
