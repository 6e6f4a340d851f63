import os
import time
from pathlib import Path
from typing import Any

import pytest
from ingest_room import CALLER, Room
from sqlalchemy.orm import Session

from clm.ingest import service
from clm.ingest.sources import folder
from clm.ingest.sources import service as sources
from clm.ingest.tables import Source
from clm.records import IngestReport


@pytest.fixture
def inbox(room: Room, tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    with room.database.transaction() as session:
        add(session, tmp_path / "inbox", "intent")
    return tmp_path / "inbox"


def add(session: Session, folder: Path, task: str, **more: Any) -> Source:
    return sources.add(session, CALLER, kind="folder", settings={"path": str(folder)}, model="m", task=task, **more)


def put(file: Path, body: str, seconds_ago: float = 5) -> None:
    file.write_text(body)
    os.utime(file, (0, time.time() - seconds_ago))


def scan(room: Room) -> list[IngestReport]:
    return sources.poll(room.intake)


def names(inbox: Path) -> list[str]:
    return sorted(str(f.relative_to(inbox)) for f in inbox.rglob("*") if f.is_file())


def test_a_file_at_rest_is_taken_once_and_moved(room: Room, inbox: Path) -> None:
    put(inbox / "a.jsonl", '{"text": "a"}\nbad\n')
    (report,) = scan(room)
    assert (report.accepted, report.refused) == (1, 1)
    assert names(inbox) == ["done/a.jsonl"]
    assert scan(room) == []
    put(inbox / "a.jsonl", '{"text": "a"}\n{"text": "b"}\n')
    assert scan(room)[0].accepted == 1
    assert len(names(inbox)) == 2
    assert room.store.counts("m") == {"intent": 2}


def test_what_is_still_written_or_hidden_is_left_alone(room: Room, inbox: Path) -> None:
    put(inbox / "fresh.jsonl", '{"text": "a"}', seconds_ago=0)
    put(inbox / ".hidden.jsonl", '{"text": "a"}')
    put(inbox / "half.jsonl.part", '{"text": "a"}')
    (inbox / "link.jsonl").symlink_to("/etc/passwd")
    assert scan(room) == []
    put(inbox / "fresh.jsonl", '{"text": "a"}')
    assert len(scan(room)) == 1


def test_a_file_that_is_written_slowly_is_taken_whole(room: Room, inbox: Path) -> None:
    file = inbox / "slow.jsonl"
    with file.open("w") as writer:
        for n in range(3):
            writer.write(f'{{"text": "row {n}"}}\n')
            writer.flush()
            os.utime(file, (0, time.time() - 60))  # at rest for long
            assert scan(room) == []
    os.utime(file, (0, time.time() - 60))
    assert [report.accepted for report in scan(room)] == [3]
    assert names(inbox) == ["done/slow.jsonl"]


def test_a_file_that_changes_while_it_is_taken_is_taken_again(
    room: Room, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "a.jsonl", '{"text": "a"}\n')
    take = service.ingest

    def slow(*given: Any, **named: Any) -> IngestReport:
        report = take(*given, **named)
        put(inbox / "a.jsonl", '{"text": "a"}\n{"text": "b"}\n')
        return report

    monkeypatch.setattr(service, "ingest", slow)
    assert [report.accepted for report in scan(room)] == [1]
    assert names(inbox) == ["a.jsonl"]
    monkeypatch.setattr(service, "ingest", take)
    (report,) = scan(room)
    assert (report.accepted, report.duplicate) == (1, 1)
    assert names(inbox) == ["done/a.jsonl"] and room.store.counts("m") == {"intent": 2}


def test_what_can_not_be_used_goes_aside_with_the_reason(room: Room, inbox: Path) -> None:
    put(inbox / "a.txt", "no format")
    put(inbox / "b.jsonl", "")
    put(inbox / "c.csv", 'text\n"never ends')
    put(inbox / "d.jsonl", '{"text": "good"}')
    assert [(r.accepted, r.refused) for r in scan(room)] == [(0, 1), (1, 0)]
    assert names(inbox) == ["done/d.jsonl", "refused/a.txt", "refused/a.txt.reason.txt", "refused/b.jsonl",
                            "refused/b.jsonl.reason.txt", "refused/c.csv"]  # fmt: skip
    assert "Say which format" in (inbox / "refused/a.txt.reason.txt").read_text()


def test_a_crash_between_taking_and_moving_doubles_nothing(
    room: Room, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(inbox / "a.jsonl", '{"text": "a"}')
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(folder, "_move", _interrupted)
        scan(room)
    assert names(inbox) == ["a.jsonl"]
    (report,) = scan(room)
    assert (report.accepted, names(inbox)) == (1, ["done/a.jsonl"])
    assert [v.rows for v in room.store.versions("m") if v.operation == "WRITE"] == [1]


def _interrupted(*_: object) -> Path:
    raise KeyboardInterrupt


def test_a_folder_that_is_gone_does_not_stop_the_others(room: Room, inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    with room.database.transaction() as session:
        add(session, tmp_path / "second", "split", suite=True)
    inbox.rmdir()
    put(tmp_path / "second" / "a.jsonl", '{"text": "a"}')
    assert [(r.task, r.suite, r.accepted) for r in scan(room)] == [("split", True, 1)]
