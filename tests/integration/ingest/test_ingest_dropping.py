"""Rows that a person takes out: marked, audited, taken back; and no snapshot after holds them."""

import json

import pytest
from fastapi.testclient import TestClient
from ingest_room import CALLER, Room
from typer.testing import CliRunner

from clm.app import create_app
from clm.audit import repository as audit
from clm.cli import data, suite
from clm.cli import dropping as command
from clm.cli.context import Context
from clm.errors import InvalidInput, NotFound
from clm.ingest.dropping import drop, dropped_ids, dropped_rows
from clm.installation import Installation
from clm.records import Json

ROWS = b"".join(json.dumps({"prompt": f"q {n}", "completion": f"a {n}"}).encode() + b"\n" for n in range(4))
HELD_OUT = b'{"prompt": "exam", "completion": "a"}\n'


@pytest.fixture
def filled(room: Room) -> tuple[Room, list[str], str]:
    """The room with rows in it; the ids of its training rows, and of its held-out example."""
    room.ingest(HELD_OUT, suite=True)
    room.ingest(ROWS)
    version = room.store.snapshot("m").tables["records"]
    assert version == 1
    ids = sorted(row["record_id"] for row in every(room, suite=False))
    return room, ids, every(room, suite=True)[0]["record_id"]


def every(room: Room, suite: bool) -> list[Json]:
    from clm.core.content import content_hash

    contents = [json.loads(line) for line in (HELD_OUT if suite else ROWS).splitlines()]
    ids = ["rec_" + content_hash("completion", content)[:24] for content in contents]
    return room.store.rows("m", ids, suite=suite)


def test_dropped_rows_leave_snapshots_until_they_are_taken_back(filled: tuple[Room, list[str], str]) -> None:
    room, ids, example = filled

    def act(*records: str, **more: bool):
        with room.database.transaction() as session:
            options = {"suite": False} | more
            return drop(session, room.store, CALLER, model="m", record_ids=records, reason="spam", **options)

    done = act(ids[0], ids[1], ids[0])
    assert [row["record_id"] for row in done.records] == ids[:2] and done.left == {"intent": 2}
    again = act(ids[0], ids[2])
    assert [row["record_id"] for row in again.records] == [ids[2]] and again.unchanged == (ids[0],)
    assert act(example, suite=True).left == {"intent": 0}
    with room.database.read() as session:
        pinned = dropped_ids(session, "m")
        [entry] = audit.page(session, before=None, limit=1)
    assert pinned == {"dropped": ids[:3], "dropped_examples": [example]}
    assert (entry.action, (entry.after or {})["records"]) == ("suite.drop", [example])
    left = room.store.snapshot("m", dropped=pinned["dropped"], dropped_examples=pinned["dropped_examples"])
    assert left.suites == {}

    assert act(ids[0], undo=True).left == {"intent": 2}
    with room.database.read() as session:
        assert dropped_ids(session, "m")["dropped"] == ids[1:3]
        assert len(dropped_rows(session, "m", undone=True)) == 4  # what was taken back is still told
    assert [row["record_id"] for row in act(ids[0]).records] == [ids[0]]


def test_an_unknown_record_changes_nothing(filled: tuple[Room, list[str], str]) -> None:
    room, ids, example = filled
    with (
        pytest.raises(NotFound, match=f"hold no {example}; nothing was changed"),
        room.database.transaction() as session,
    ):
        drop(session, room.store, CALLER, model="m", record_ids=[ids[0], example], suite=False, reason="x")
    with pytest.raises(InvalidInput, match="Say why"), room.database.transaction() as session:
        drop(session, room.store, CALLER, model="m", record_ids=ids, suite=False, reason="")
    with room.database.read() as session:
        assert dropped_rows(session, "m") == []


def test_over_http(filled: tuple[Room, list[str], str]) -> None:
    room, ids, example = filled
    client = TestClient(create_app(Installation(room.settings, room.database)))
    path, body = "/api/v1/models/m/drops", {"record_ids": ids[:1], "reason": "spam"}
    tried = client.post(path, json=body | {"dry_run": True}).json()
    assert tried["dry_run"] and tried["records"][0]["record_id"] == ids[0]
    assert client.get(path).json()["items"] == []
    assert client.post(path, json=body).json()["left"] == {"intent": 3}
    assert client.post(path, json={"record_ids": [example], "suite": True, "reason": "wrong"}).status_code == 200
    assert [row["suite"] for row in client.get(path).json()["items"]] == [False, True]
    assert client.post(path, json=body | {"undo": True}).json()["left"] == {"intent": 4}
    assert (
        len(client.get(path).json()["items"]) == 1
        and len(client.get(path, params={"undone": True}).json()["items"]) == 2
    )
    assert client.post(path, json=body | {"record_ids": ["rec_0"]}).status_code == 404


def test_on_the_command_line(filled: tuple[Room, list[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    room, ids, example = filled
    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(command, "here", Context())

    def run(app: object, *words: str) -> str:
        result = CliRunner().invoke(app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})  # pyright: ignore
        assert result.exit_code == 0, result.exception
        return result.output

    assert "Would be dropped" in run(data.app, "drop", ids[0], "--dry-run")
    assert "Nothing is dropped" in run(data.app, "dropped")
    assert "has 3 training rows left" in run(data.app, "drop", ids[0], "-r", "spam")
    assert "next update stops" in run(suite.app, "drop", example)
    assert "spam" in run(data.app, "dropped")
    assert "Is taken back" in run(data.app, "drop", ids[0], "--undo")
    assert json.loads(run(data.app, "dropped", "-o", "json"))[0]["of"] == "suite"


def test_a_whole_delivery_goes_with_what_was_held_out_of_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(command, "here", Context())
    good, bad = room.ingest(ROWS), room.ingest(ROWS.replace(b"q ", b"bad q "))
    exam = room.ingest(HELD_OUT, suite=True)

    def run(*words: str) -> str:
        result = CliRunner().invoke(data.app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
        return result.output if result.exit_code == 0 else f"{result.exception}"

    assert run("drop", "--batch", bad.batch_id, "--dry-run").count("Would be dropped") == 4
    assert "has 4 training rows left" in run("drop", "--batch", bad.batch_id, "-r", "labels were swapped")
    assert "has 0 held-out examples left" in run("drop", "--batch", exam.batch_id)
    with room.database.read() as session:
        assert {row.record_id for row in dropped_rows(session, "m") if not row.suite} == set(
            room.store.of_batch("m", bad.batch_id)
        )
    assert "brought model 'm' no training rows" in run("drop", "--batch", room.ingest(ROWS).batch_id)
    assert "There is no batch 'bat_x'" in run("drop", "--batch", "bat_x")
    assert "or the delivery" in run("drop") and "or the delivery" in run("drop", "rec_1", "--batch", good.batch_id)

    client, path = TestClient(create_app(Installation(room.settings, room.database))), "/api/v1/models/m/drops"
    undone = client.post(path, json={"batch_id": bad.batch_id, "reason": "a mistake", "undo": True}).json()
    assert len(undone["records"]) == 4 and undone["left"] == {"intent": 8}
    assert client.post(path, json={"reason": "nothing"}).status_code == 422
