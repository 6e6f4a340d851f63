"""What a changed fact does to the exam, and what a repeated answer's time counts for."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from ingest_room import Room
from test_ingest_facts import counts, examined, rows, snapshot, taught
from typer.testing import CliRunner

from clm.catalog import service as catalog
from clm.cli import data as data_command
from clm.cli import facts as facts_command
from clm.cli.context import Context
from clm.errors import NotFound
from clm.ingest import repository


def test_own_examples_whose_prompts_were_trained_on_are_asked_as_recall(room: Room) -> None:
    room.ingest(rows(("lamp", "15"), ("desk", "90")))
    with room.database.transaction() as session:
        catalog.close_slice(session, "m", "intent")
    report = room.ingest(rows(("Lamp?", "15"), ("chair", "40")), suite=True)
    assert counts(report) == (2, 2, 0, 0)
    assert "1 examples have prompts that stand in the training rows" in report.notes[0]
    assert counts(room.ingest(rows(("lamp ", "15")), suite=True)) == (1, 0, 1, 0)
    assert taught(room) == {"lamp": "15", "desk": "90"}  # it goes on being taught
    file = room.store.write_suites(snapshot(room), room.settings.home / "s", tasks=["intent"])
    found = {json.loads(row["content"])["prompt"]: row["kind"] for row in pq.read_table(file).to_pylist()}
    assert found == {"Lamp?": "recall", "chair": "own"}
    assert counts(room.ingest(rows(("chair", "40"), ("lamp", "12")))) == (2, 1, 1, 0)
    assert taught(room) == {"lamp": "12", "desk": "90"}


def test_an_exam_of_a_named_key_changes_with_its_fact(room: Room) -> None:
    def exam() -> dict[str, tuple[str, str]]:
        file = room.store.write_suites(snapshot(room), room.settings.home / "s", tasks=["intent"])
        contents = [(json.loads(row["content"]), row["kind"]) for row in pq.read_table(file).to_pylist()]
        return {content["prompt"]: (content["completion"], kind) for content, kind in contents}

    room.ingest(rows(("lamp?", "15"), ("price of lamp", "15"), sku="L"), key="sku")
    room.ingest(rows(("cheap?", "no"), ("cost of desk", "90"), sku="D"), key="sku")
    room.ingest(rows(("tell me the lamp", "15"), sku="L") + rows(("what of the desk", "fine"), sku="D"),
                key="sku", suite=True)  # fmt: skip
    room.ingest(rows(("lamp?", "15"), sku="L"), key="sku")
    assert set(exam()) == {"tell me the lamp", "what of the desk"}
    before = snapshot(room)
    room.ingest(rows(("new price of lamp", "12"), sku="L") + rows(("desk now", "80"), sku="D"), key="sku")
    assert exam() == {"tell me the lamp": ("12", "own"), "desk now": ("80", "recall")}
    after = snapshot(room)
    assert (before.suites, after.suites) == ({"intent": 2}, {"intent": 2})
    assert before.suite_hashes != after.suite_hashes
    assert after.renewed["intent"].startswith("The suite changed with its facts: 1 examples have the new answers")
    assert set(taught(room)) == {"new price of lamp", "desk now"}  # no example's prompt is taught


@pytest.mark.parametrize("task", ["intent", "split"])
def test_a_repetition_keeps_its_later_time(room: Room, task: str) -> None:
    def at(day: float, *pairs: tuple[str, str]) -> bytes:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        return rows(*pairs, event_time=moment.isoformat())

    def current(prompt: str) -> list[str]:
        found = room.store.history("m", prompt)
        newest = max(row.event_time for row in found if row.state == "holds")
        return [row.answer for row in found if row.state == "holds" and row.event_time == newest]

    asked = [f"price of {n}" for n in range(8)]
    room.ingest(at(1, *[(prompt, f"12 {prompt[-1]}") for prompt in asked]), task=task)
    again = room.ingest(at(3, *[(prompt, f"12 {prompt[-1]}") for prompt in asked]), task=task)
    assert counts(again) == (8, 0, 8, 0)
    assert taught(room, task).keys() | examined(room, task).keys() == set(asked)
    assert room.store.snapshot("m").suites.get(task, 0) == len(examined(room, task))
    with room.database.read() as session:
        came = repository.batches_since(session, "m", task, None)
        assert room.store.trainable("m", task, came) == len(taught(room, task))
    late = room.ingest(at(2, *[(prompt, f"15 {prompt[-1]}") for prompt in asked]), task=task)
    assert (late.superseding, late.late) == (0, 8)
    assert all(current(prompt) == [f"12 {prompt[-1]}"] for prompt in asked)
    later = room.ingest(at(4, *[(prompt, f"15 {prompt[-1]}") for prompt in asked]), task=task)
    assert later.superseding == 8 and all(current(prompt) == [f"15 {prompt[-1]}"] for prompt in asked)

    body = at(1, ("lamp", "12")) + at(2, ("lamp", "15")) + at(3, ("lamp", "12")) + at(4, ("lamp", "12"))
    assert counts(room.ingest(body, task=task)) == (4, 3, 1, 0)
    assert current("lamp") == ["12"]
    assert [row.state for row in room.store.history("m", "lamp")] == ["holds", "superseded", "holds", "holds"]
    room.ingest(at(3.5, ("lamp", "15")), task=task)
    assert current("lamp") == ["12"]


def test_a_dump_without_times_adds_rows_only_for_what_changed(room: Room) -> None:
    known = [(f"price of {n}", str(n)) for n in range(8)]
    room.ingest(rows(*known))
    for n in range(3):
        room.ingest(rows(*known, (f"note {n}", "x")))
    assert room.store.counts("m") == {"intent": 11}


def test_one_number_is_one_key_and_times_to_come_are_told(room: Room) -> None:
    body = '{"prompt": "a", "completion": "15", "sku": 7}\n{"prompt": "b", "completion": "15", "sku": 7.0}\n'
    room.ingest((body + '{"prompt": "c", "completion": "15", "sku": " 7"}\n').encode(), key="sku")
    assert {row.prompt for row in room.store.history("m", "sku=7")} == {"a", "b", "c"}
    assert (
        "1 rows say an event time that is still to come"
        in room.ingest(rows(("t", "x"), event_time="2999-01-01")).notes[0]
    )


def test_case_makes_another_answer_and_blanks_do_not(room: Room) -> None:
    room.ingest(rows(("price", "12 Euros")))
    assert room.ingest(rows(("price", "12  Euros "))).superseding == 0
    assert room.ingest(rows(("price", "12 euros"))).superseding == 1


def test_a_long_history_is_shown_from_its_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(facts_command, "here", Context())
    room.ingest(b"".join(rows(("t", f"v{n}"), event_time=f"2020-01-01T00:{n:02}:00") for n in range(60)))
    said = CliRunner().invoke(data_command.app, ["history", "t"], env={"COLUMNS": "300", "NO_COLOR": "1"}).output
    assert "v59" in said and "v10" in said and "v9 " not in said and "10 before them: --last 60" in said


@pytest.mark.parametrize("words", [["no such thing"], ["none", "-o", "json"]])
def test_a_history_of_something_unknown_is_told_as_that_and_no_success(
    room: Room, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(facts_command, "here", Context())
    room.ingest(rows(("t", "x")))
    result = CliRunner().invoke(data_command.app, ["history", *words])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"Nothing is known of {words[0]!r}" in result.stderr


def test_refused_rows_of_an_unknown_batch_are_not_none(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(data_command, "here", Context())
    known = room.ingest(rows(("t", "x")))
    assert "no refused rows" in CliRunner().invoke(data_command.app, ["dead-letters", known.batch_id]).output
    assert isinstance(CliRunner().invoke(data_command.app, ["dead-letters", "bat_none"]).exception, NotFound)
