import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ingest_room import Room
from sqlalchemy import func, select

from clm.audit.service import verify
from clm.audit.tables import AuditEntry
from clm.ingest import repository, service

PROGRAM = """
import sys
from clm.core.caller import Caller
from clm.core.database import Database
from clm.ingest import service
from clm.ingest.intake import BatchSpec, Intake
from clm.settings import Settings
from clm.store.store import Store
settings = Settings.load()
database, store = Database(settings.database), Store(settings.paths.data)
if sys.argv[1] == "recover":
    service.recover(Intake(database, store, settings, Caller("worker")))
else:
    from pathlib import Path
    body = Path(sys.argv[1])
    intake = Intake(database, store, settings, Caller("cli"))
    service.ingest(intake, body, BatchSpec("m", "split", idempotency_key="k"))
"""
PLACES = [
    "ingest.after-register",
    "store.before-commit",
    "store.after-commit",
    "ingest.after-append",
    "ingest.after-commit",
]


def run(room: Room, argument: str, failpoint: str) -> int:
    environment = {**os.environ, "CLM_HOME": str(room.settings.home), "CLM_FAILPOINT": f"{failpoint}:kill"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, argument], env=environment, check=False, timeout=60
    ).returncode


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_and_started_again_every_row_is_there_once(room: Room, place: str) -> None:
    body = room.settings.home / "rows.jsonl"
    good = "".join(f'{{"prompt": "question {i}", "completion": "answer {i % 5}"}}\n' for i in range(40))
    body.write_text(good + good + "bad\n")
    assert run(room, str(body), place) == -signal.SIGKILL
    room.ingest(b'{"prompt": "of another batch", "completion": "x"}', suite=True)
    if place == "store.before-commit":
        assert run(room, "recover", "ingest.after-append") == -signal.SIGKILL  # and once more while it recovers

    reports = service.recover(room.intake)
    assert len(reports) == (place != "ingest.after-commit")
    assert service.recover(room.intake) == []
    again = room.ingest(body, "split", idempotency_key="k")
    assert (again.received, again.accepted, again.duplicate, again.refused) == (81, 40, 40, 1)
    assert reports in ([], [again])
    kept = room.store.counts("m")["split"], room.store.counts("m", suite=True)["split"]
    assert (sum(kept), kept[1]) == (40, again.into_suite)
    records = [v for v in room.store.versions("m") if v.batch_id == again.batch_id]
    assert sorted(v.table for v in records) == ["records", "suites"]
    with room.database.read() as session:
        assert repository.unfinished(session) == []
        finished = select(func.count()).select_from(AuditEntry).where(AuditEntry.object_id == again.batch_id)
        assert session.scalar(finished) == 1
        assert verify(session).ok


def test_what_a_dead_upload_left_in_the_spool_is_removed_later(room: Room) -> None:
    old, fresh = room.settings.paths.spool / "spl_old.body", room.settings.paths.spool / "spl_fresh.body"
    old.write_bytes(b"x")
    fresh.write_bytes(b"x")
    os.utime(old, (0, time.time() - 7200))
    service.recover(room.intake)
    assert room.spooled() == [fresh]


@pytest.mark.usefixtures("process")
def test_one_batch_that_can_not_be_finished_does_not_stop_the_others(room: Room, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(f'{{"text": "{name}"}}')
        assert run(room, str(tmp_path / name), "ingest.after-register") == -signal.SIGKILL
        with room.database.transaction() as session:
            (waiting, *_) = reversed(repository.unfinished(session))
            waiting.idempotency_key = name
            lost = room.settings.home / (waiting.spool_path or "")
    lost.unlink()
    assert [report.accepted for report in service.recover(room.intake)] == [1]
    with room.database.read() as session:
        assert len(repository.unfinished(session)) == 1
