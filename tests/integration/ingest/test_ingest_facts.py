"""Facts that change: what a delivery supersedes, contradicts and holds out."""

import json

import pyarrow.parquet as pq
import pytest
from ingest_room import CALLER, Room
from test_ingest_http import client_of
from typer.testing import CliRunner

from clm.catalog import service as catalog
from clm.cli import data as data_command
from clm.cli import facts as facts_command
from clm.cli.context import Context
from clm.errors import Conflict, InvalidInput
from clm.ingest import conflicts, dropping, repository
from clm.records import IngestReport, Snapshot
from real_data import DATA as SETS

DATA = SETS / "changed_fact"


def rows(*pairs: tuple[str, str], **more: str) -> bytes:
    return "".join(json.dumps({"prompt": p, "completion": c, **more}) + "\n" for p, c in pairs).encode()


def prices(price: int, **more: str) -> bytes:
    return rows(*[(f"{ask} the lamp", f"{price} euros") for ask in ("cost of", "price of", "how much is")], **more)


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.received, report.accepted, report.duplicate, report.refused


def taught(room: Room, task: str = "intent") -> dict[str, str]:
    """What an update would be taught now, by prompt."""
    made = room.store.build_mixture(
        snapshot(room), task, since=None, replay_share=0, seed=1, out=room.settings.home / "m"
    )
    contents = [json.loads(row["content"]) for row in pq.read_table(made.path).to_pylist()]
    return {content["prompt"]: content["completion"] for content in contents}


def examined(room: Room, task: str = "split") -> dict[str, tuple[str, list[str], int]]:
    """Answer, old answers and slice of each example, by prompt."""
    file = room.store.write_suites(snapshot(room), room.settings.home / "s", tasks=[task])
    return {
        content["prompt"]: (content["completion"], json.loads(row["old_answers"]), row["slice"])
        for row in pq.read_table(file).to_pylist()
        if (content := json.loads(row["content"]))
    }


def snapshot(room: Room) -> Snapshot:
    with room.database.read() as session:
        return room.store.snapshot("m", **conflicts.pins(session, "m"))


def test_a_newer_answer_supersedes_the_older_one(room: Room) -> None:
    room.ingest(rows(("Cost of the lamp?", "15"), ("Cost of the desk?", "90")))
    report = room.ingest(rows(("cost of  the LAMP", "12")))
    assert (counts(report), report.superseding) == ((1, 1, 0, 0), 1)
    assert taught(room) == {"cost of  the LAMP": "12", "Cost of the desk?": "90"}
    old, new = room.store.history("m", "Cost of the lamp")
    assert (old.answer, old.state, old.superseded_by) == ("15", "superseded", new.record_id)
    assert (new.answer, new.state) == ("12", "holds")


def test_an_answer_can_come_back_but_the_same_file_again_is_no_news(room: Room) -> None:
    first = prices(15) + rows(("cost of the desk", "90"))
    room.ingest(first)
    room.ingest(prices(12))
    again = room.ingest(first)
    assert (counts(again), again.superseding) == ((4, 0, 4, 0), 0)
    assert "came before" in again.notes[0]
    back = room.ingest(prices(15))
    assert (counts(back), back.superseding) == ((3, 3, 0, 0), 3)
    assert set(taught(room).values()) == {"15 euros", "90"}


def test_a_late_row_is_history_on_arrival(room: Room) -> None:
    room.ingest(rows(("lamp", "12"), ("desk", "90"), event_time="2026-03-01"))
    report = room.ingest(rows(("lamp", "15"), event_time="2026-01-01"))
    assert (report.accepted, report.late, report.superseding) == (1, 1, 0)
    assert taught(room) == {"lamp": "12", "desk": "90"}


def test_a_named_key_holds_all_phrasings_of_a_fact_together(room: Room) -> None:
    body = b'sku,prompt,completion\nL1,"cost of the lamp",15\nL1,"lamp, how much?",15\nD1,"cost of the desk",90\n'
    room.ingest(body, suffix="csv", key="sku")
    report = room.ingest(b"sku,prompt,completion\nL1,price of the lamp,12\n", suffix="csv", key="sku")
    assert report.superseding == 1
    assert taught(room) == {"price of the lamp": "12", "cost of the desk": "90"}
    assert [row.answer for row in room.store.history("m", "sku=L1")] == ["15", "15", "12"]
    bad = room.ingest(b"sku,prompt,completion\n,price of the chair,12\n", suffix="csv", key="sku")
    assert (bad.refused, bad.refusals[0].field) == (1, "sku")
    with pytest.raises(InvalidInput, match="A key is"):
        room.ingest(b"x", key="a,,b")


def test_a_held_out_example_gets_the_new_answer_and_counts_as_new(room: Room) -> None:
    asks = [f"question {i}" for i in range(40)]
    room.ingest(rows(*[(ask, "old" if i % 2 else "other") for i, ask in enumerate(asks)]), task="split")
    before = examined(room)
    with room.database.transaction() as session:
        catalog.close_slice(session, "m", "split")
    report = room.ingest(rows(*[(ask, "new") for i, ask in enumerate(asks) if i % 2]), task="split")
    assert (counts(report), report.superseding) == ((20, 20, 0, 0), 20)
    after = examined(room)
    assert after.keys() == before.keys()
    for prompt, (answer, old, number) in after.items():
        assert (answer, old, number) == (("new", ["old"], 2) if before[prompt][0] == "old" else ("other", [], 1))


def test_two_answers_at_one_moment_wait_for_a_person(room: Room) -> None:
    room.ingest(rows(("lamp", "15"), ("desk", "90"), event_time="2026-01-01"))
    report = room.ingest(rows(("lamp", "12"), event_time="2026-01-01", source="crm"))
    assert (counts(report), report.contradicting) == ((1, 1, 0, 0), 1)
    assert taught(room) == {"lamp": "15", "desk": "90"}
    with room.database.transaction() as session:
        (waiting,) = conflicts.conflicts(session, model="m")
        assert [option["answer"] for option in waiting.options] == ["15", "12"]
        assert "two sources (crm, upload)" in waiting.reason
        conflicts.resolve(session, CALLER, "newest", reference=waiting.id)
    assert taught(room) == {"lamp": "12", "desk": "90"}
    with room.database.transaction() as session:
        with pytest.raises(Conflict):
            conflicts.resolve(session, CALLER, "newest", reference=waiting.id)
        with pytest.raises(InvalidInput, match="none of the answers"):
            conflicts.resolve(session, CALLER, "rec_other", reference=waiting.id)
        conflicts.resolve(session, CALLER, waiting.options[0]["record_id"], reference=waiting.id)
    assert taught(room) == {"lamp": "15", "desk": "90"}
    with room.database.transaction() as session:
        conflicts.resolve(session, CALLER, "keep-both", reference=waiting.id)
    made = room.store.build_mixture(
        snapshot(room), "intent", since=None, replay_share=0, seed=1, out=room.settings.home / "m"
    )
    assert made.new_rows == 3


def test_a_delivery_that_contradicts_itself_teaches_neither(room: Room) -> None:
    report = room.ingest(rows(("lamp", "15"), ("lamp", "12"), ("desk", "90"), ("chair", "40")))
    assert (counts(report), report.contradicting) == ((4, 4, 0, 0), 2)
    assert taught(room) == {"desk": "90", "chair": "40"}


def test_mixed_up_labels_wait_and_a_renamed_label_does_not(room: Room) -> None:
    labels = ["refund", "swap", "repair", "cancel"]
    asks = [(f"question {i}", labels[i % 4]) for i in range(40)]
    room.ingest(rows(*asks))
    mixed = room.ingest(rows(*[(ask, labels[(i % 4 + 1 + i // 4 % 3) % 4]) for i, (ask, _) in enumerate(asks)]))
    assert (mixed.accepted, mixed.contradicting, mixed.superseding) == (40, 40, 0)
    assert "follow no rule" in mixed.notes[0]
    assert taught(room) == dict(asks)
    renamed = room.ingest(rows(*[(ask, "money back") for ask, label in asks if label == "refund"]))
    assert (renamed.contradicting, renamed.superseding) == (0, 10)
    with room.database.transaction() as session:
        assert len(conflicts.resolve(session, CALLER, "keep-both", reference=mixed.batch_id)) == 40


@pytest.mark.skipif(not DATA.is_dir(), reason="the set changed_fact is not beside the project (../shared/data)")
def test_a_price_changes_with_the_defaults(room: Room) -> None:
    with room.database.transaction() as session:
        catalog.add_task(session, CALLER, model="m", name="prices")
    first = room.ingest(DATA / "old.jsonl", "prices")
    assert counts(first) == (48, 48, 0, 0)
    assert 3 <= first.into_suite <= 20
    with room.database.transaction() as session:
        catalog.close_slice(session, "m", "prices")
    changed = room.ingest(DATA / "new.jsonl", "prices")
    assert (counts(changed), changed.superseding, changed.contradicting) == ((6, 6, 0, 0), 6, 0)
    learned, asked = taught(room, "prices"), examined(room, "prices")
    assert learned.keys() | asked.keys() == {
        json.loads(line)["prompt"] for line in (DATA / "old.jsonl").read_text(encoding="utf-8").splitlines()
    }
    lamp = {prompt: answer for prompt, answer in learned.items() if "Lumo" in prompt}
    assert set(lamp.values()) == {"The Lumo lamp costs 15 euros."}
    for prompt, (answer, old, number) in asked.items():
        if "Lumo" in prompt:
            assert (answer, old, number) == (
                "The Lumo lamp costs 15 euros.", ["The Lumo lamp costs 12 euros."], 2
            )  # fmt: skip


def test_contradictions_and_history_over_http_and_on_the_command_line(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(room)
    for answer, source in (("15", "shop"), ("12", "crm")):
        room.ingest(rows(("lamp", answer), event_time="2026-01-01", source=source))
    page = client.get("/api/v1/conflicts", params={"model": "m"}).json()
    (waiting,) = page["items"]
    assert [option["answer"] for option in waiting["options"]] == ["15", "12"]
    assert (waiting["allowed_actions"], page["next_cursor"]) == (["resolve"], None)
    right = waiting["options"][0]["record_id"]
    url = f"/api/v1/conflicts/{waiting['id']}"
    assert client.post(f"{url}:resolve", json={"decision": "rec_none"}).status_code == 422
    assert client.post(f"{url}:resolve", json={"decision": right}).json()["state"] == "resolved"
    assert client.post("/api/v1/conflicts:resolve", json={"decision": "newest", "model": "m"}).status_code == 404
    history = client.get("/api/v1/records/history", params={"model": "m", "of": "Lamp?"}).json()["items"]
    assert [(row["answer"], row["state"], row["superseded_by"]) for row in history] == [
        ("15", "holds", None), ("12", "superseded", right)
    ]  # fmt: skip

    monkeypatch.setenv("CLM_HOME", str(room.settings.home))
    monkeypatch.setattr(facts_command, "here", Context())

    def run(*words: str) -> str:
        result = CliRunner().invoke(data_command.app, list(words), env={"COLUMNS": "300", "NO_COLOR": "1"})
        assert result.exit_code == 0, result.exception
        return result.output

    assert "No contradiction waits" in run("conflicts")
    assert "two sources (crm, shop)" in run("conflicts", "show", waiting["id"])
    assert "newest" in run("resolve", waiting["id"], "newest")
    assert right in run("resolve", waiting["id"], "this", right)
    room.ingest(rows(("desk", "90"), ("desk", "80")))
    assert "desk" in run("conflicts", "list")
    assert "keep-both" in run("resolve", "--all", "keep-both")
    assert right in run("history", "lamp", "-o", "json")


def test_facts_are_not_held_out_by_themselves(room: Room) -> None:
    capitals = [(f"capital of land {i}?", f"town{i}") for i in range(20)]
    report = room.ingest(rows(*capitals), task="split")
    assert (report.accepted, report.into_suite) == (20, 0)
    assert "asked again" in report.notes[0]
    with room.database.transaction() as session:
        catalog.edit_task(session, CALLER, "m", "split", {"exam": "held_out"})
    more = room.ingest(rows(*[(f"river of land {i}?", f"water{i}") for i in range(20)]), task="split")
    assert more.into_suite > 3


def test_the_volume_trigger_counts_what_could_be_trained_on(room: Room) -> None:
    def new_rows() -> int:
        with room.database.read() as session:
            came = repository.batches_since(session, "m", "split", None)
            return room.store.trainable("m", "split", came, **conflicts.pins(session, "m"))

    first = room.ingest(rows(*[(f"question {i}", f"answer {i % 2}") for i in range(40)]), task="split")
    known = set(taught(room, "split"))
    assert new_rows() == len(known) == 40 - first.into_suite
    held_out = [prompt for prompt in (f"question {i}" for i in range(40)) if prompt not in known][:3]
    room.ingest(rows(*[(one, x) for one in held_out for x in ("this", "that")]), task="split")  # held and in the suite
    assert new_rows() == len(known)
    told = room.ingest(rows(*[(f"new {i}", x) for i in range(4) for x in ("this", "that")]), task="split")
    assert (told.contradicting, new_rows()) == (8, len(known))
    (gone,) = [row.record_id for row in room.store.history("m", sorted(known)[0])]
    with room.database.transaction() as session:
        dropping.drop(session, room.store, CALLER, model="m", record_ids=[gone], suite=False, reason="wrong")
    assert new_rows() == len(known) - 1
    room.ingest(rows((sorted(known)[1], "answer 9")), task="split")
    assert new_rows() == len(known) - 1  # one row came and one no longer holds
