"""What nobody needs any more is dropped, and nothing else."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

import clm
from clm.core import events
from clm.core.clock import now
from clm.core.database import Database
from clm.deployment.tables import RolloutRow
from clm.duties import retention
from clm.duties.duties import DUTIES
from clm.duties.retention import Retention
from clm.ingest.tables import Batch
from clm.installation import Installation
from clm.monitoring import repository as monitoring
from clm.monitoring.tables import Answer
from clm.settings import Settings
from clm.updates.tables import Update


@pytest.fixture
def on(either: Database, tmp_path: Path) -> Installation:
    settings = Settings(home=tmp_path / "home", event_days=2)
    settings.paths.create()
    return Installation(settings, either)


def test_it_is_a_duty_of_the_worker() -> None:
    assert DUTIES["retention"] == (Retention, 3600.0)


def test_old_events_go_and_the_newest_stay(on: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "EVENTS_KEPT", 3)
    for days, names in ((3, "abc"), (1, "de")):
        monkeypatch.setattr(events, "now", lambda days=days: now() - timedelta(days=days))
        for name in names:
            with on.database.transaction() as session:
                events.publish(session, "task", name)
    Retention(on).tick()
    with on.database.read() as session:
        assert [event.object_id for event in events.after(session, 0)] == ["c", "d", "e"]


def test_checkpoints_go_with_their_update_and_a_forgotten_upload_after_a_while(on: Installation) -> None:
    moment = now()
    ended = {"upd_old": moment - timedelta(hours=2), "upd_new": moment, "upd_runs": None}
    with on.database.transaction() as session:
        for name, finished in ended.items():
            session.add(Update(id=name, model="m", task="t", state="failed" if finished else "running", trigger="hand",
                               trigger_reason="", policy={}, created_at=moment, finished_at=finished))  # fmt: skip
        session.add(Batch(id="bat_1", model="m", task="t", source="s", suite=False, state="receiving", received=0,
                          accepted=0, duplicate=0, refused=0, into_suite=0, created_at=moment,
                          spool_path="spool/needed", delivery={}))  # fmt: skip
    for name in (*ended, "upd_unknown"):
        for place in (f"{name}/train/checkpoints", f"{name}/try-1/train/checkpoints/texts"):
            (on.paths.updates / place).mkdir(parents=True)
            (on.paths.updates / place / "checkpoint.safetensors").write_bytes(b"x")
        (on.paths.updates / name / "log.jsonl").write_text("{}\n")
    for name in ("needed", "forgotten", "arriving"):
        (on.paths.spool / name).write_bytes(b"x")
    (on.paths.updates / "impact-left").mkdir()
    (on.paths.updates / "impact-runs").mkdir()
    two_days_ago = (moment - timedelta(days=2)).timestamp()
    for old in (on.paths.spool / "needed", on.paths.spool / "forgotten", on.paths.updates / "impact-left"):
        os.utime(old, (two_days_ago, two_days_ago))
    Retention(on).tick()
    kept = {str(file.relative_to(on.paths.updates).parts[0]) for file in on.paths.updates.rglob("*.safetensors")}
    assert kept == {"upd_new", "upd_runs", "upd_unknown"}
    assert len(list(on.paths.updates.rglob("log.jsonl"))) == 4
    assert {file.name for file in on.paths.spool.iterdir()} == {"needed", "arriving"}
    assert not (on.paths.updates / "impact-left").exists()
    assert (on.paths.updates / "impact-runs").exists()


def test_answers_of_another_version_go_when_nobody_asked_for_them_for_long(on: Installation) -> None:
    long_ago = (now() - timedelta(days=31)).timestamp()
    for name, old in ((f"b-{clm.__version__}.db", True), ("b-0.0.1.db", True), ("b-0.0.1.db-wal", True),
                      ("c-0.0.1.db", False)):  # fmt: skip
        (on.paths.answers / name).write_bytes(b"x")
        if old:
            os.utime(on.paths.answers / name, (long_ago, long_ago))
    Retention(on).tick()
    assert {file.name for file in on.paths.answers.iterdir()} == {f"b-{clm.__version__}.db", "c-0.0.1.db"}


@pytest.mark.parametrize("step_of_days", [None, 45])
def test_traffic_stays_by_the_minute_as_long_as_a_rollout_looks_at_it(
    on: Installation, step_of_days: int | None
) -> None:
    moment = now()
    since = moment - timedelta(days=step_of_days or 20, seconds=7)
    with on.database.transaction() as session:
        if step_of_days:
            session.add(RolloutRow(id="rol_1", model="m", release_id="a", baseline="b", kind="canary", policy={},
                                   state="running", step=0, step_started_at=since, verdicts=[], revision=1,
                                   created_at=since))  # fmt: skip
        monitoring.add_answers(
            session,
            [
                Answer(id=f"ans_{n}", model="m", release_id="a", expert=None, conversation="c", status=200, error=None,
                       latency_ms=10, prompt_tokens=1, completion_tokens=1, pinned=False,
                       at=moment - timedelta(hours=2 * n))
                for n in range(600)
            ],
        )  # fmt: skip
    with on.database.read() as session:
        before = monitoring.window(session, "a", since)
    Retention(on).tick()
    with on.database.read() as session:
        assert monitoring.window(session, "a", since) == before
