import io
import json
import threading
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from ingest_room import Room
from sqlalchemy import select

from clm.audit.service import verify
from clm.audit.tables import AuditEntry
from clm.catalog import service as catalog
from clm.core.clock import now
from clm.core.content import content_hash
from clm.core.events import Event
from clm.errors import Conflict, InvalidInput, NotFound, TooLarge
from clm.ingest import batch, repository, service
from clm.ingest.intake import BatchSpec
from clm.ingest.tables import Batch
from clm.records import IngestReport


def line(prompt: str, completion: str = "yes") -> str:
    return json.dumps({"prompt": prompt, "completion": completion})


def lines(*prompts: object) -> bytes:
    return "\n".join(line(str(p)) for p in prompts).encode()


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.received, report.accepted, report.duplicate, report.refused


def test_good_rows_are_kept_and_bad_ones_told(room: Room) -> None:
    body = lines("a", "b", "a") + b'\n{"prompt": "c"}\nrubbish\0\n\n' + line("d", "").encode()
    report = room.ingest(body)
    assert counts(report) == (6, 2, 1, 3)
    assert [(r.line, r.field) for r in report.refusals] == [(4, "completion"), (5, None), (7, "completion")]
    assert report.refusals[1].sample == "rubbish\ufffd"
    assert (report.dataset_version, room.store.counts("m")) == (1, {"intent": 2})
    assert room.spooled() == []
    with room.database.read() as session:
        row = repository.get_batch(session, report.batch_id)
        assert (row.state, row.received, row.source, row.spool_path) == ("committed", 6, "upload", None)
        assert len(repository.refusals(session, row.id)) == 3
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence.desc())).first()
        assert entry and (entry.action, entry.object_id) == ("batch.commit", row.id)
        assert entry.after and entry.after["accepted"] == 2
        assert session.scalars(select(Event).where(Event.topic == "batch")).one().object_id == row.id
        assert verify(session).ok


def test_columns_that_nobody_needs_cost_no_row_and_are_told_once(room: Room) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "yes"}]
    chats = [{"prompt": n, "prompt_id": n, "messages": [{"role": "system", "content": n}, *talk]} for n in "abc"]
    report = room.ingest("\n".join(map(json.dumps, chats)).encode())
    assert counts(report) == (3, 3, 0, 0)
    assert report.notes == ("prompt was left out of 3 rows read as messages.",)


def test_rows_carry_what_is_known_of_them(room: Room) -> None:
    report = room.ingest(lines("a"), source="crm")
    hashed = content_hash("completion", {"prompt": "a", "completion": "yes"})
    (row,) = room.store.rows("m", ["rec_" + hashed[:24]])
    assert (row["source"], row["batch_id"], row["task"]) == ("crm", report.batch_id, "intent")
    assert row["event_time"] == row["ingested_at"]


def test_csv_and_streams_are_taken_too(room: Room) -> None:
    assert counts(room.ingest(b"prompt,completion\na,b\n", suffix="csv")) == (1, 1, 0, 0)
    report = service.ingest(room.intake, io.BytesIO(b"text\nhello\n"), BatchSpec("m", "intent", format="csv"))
    assert counts(report) == (1, 1, 0, 0)


def test_the_same_key_and_body_is_one_delivery(room: Room) -> None:
    first = room.ingest(lines("a", "b"), idempotency_key="k1")
    assert room.ingest(lines("a", "b"), idempotency_key="k1") == first
    assert counts(room.ingest(lines("a", "b"))) == (2, 0, 2, 0)
    with pytest.raises(Conflict, match="came with another body"):
        room.ingest(lines("a", "c"), idempotency_key="k1")
    with pytest.raises(Conflict):
        room.ingest(lines("a", "b"), idempotency_key="k1", suite=True)
    with pytest.raises(InvalidInput, match="1 to 200"):
        room.ingest(lines("a"), idempotency_key="")
    assert room.store.counts("m") == {"intent": 2}
    assert room.spooled() == []


def test_many_at_once_with_one_key_have_one_effect_and_one_answer(room: Room) -> None:
    body = lines(*range(50))
    file = room.settings.home / "body.jsonl"
    file.write_bytes(body)
    reports: list[IngestReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(room.ingest(file, idempotency_key="k"))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == 12
    assert all(report == reports[0] for report in reports)
    assert counts(reports[0]) == (50, 50, 0, 0)
    assert room.store.counts("m") == {"intent": 50}
    with room.database.read() as session:
        assert len(repository.list_batches(session)) == 1


def test_rows_of_a_version_that_was_pinned_are_no_news_whenever_they_came(room: Room) -> None:
    moment = now()
    pinned, later = room.ingest(lines("a", "b")), room.ingest(lines("c"))
    with room.database.read() as session:
        assert repository.batches_since(session, "m", "intent", moment) == {pinned.batch_id: 2, later.batch_id: 1}
        news = repository.batches_since(session, "m", "intent", moment, pinned.dataset_version)
        assert news == {later.batch_id: 1}


def test_a_share_of_every_delivery_is_held_out(room: Room) -> None:
    report = room.ingest(lines(*range(100)), task="split")
    assert counts(report) == (100, 100, 0, 0)
    assert 30 < report.into_suite < 70
    assert room.store.counts("m", suite=True) == {"split": report.into_suite}
    assert room.store.counts("m") == {"split": 100 - report.into_suite}
    assert counts(room.ingest(lines(*range(100)), task="split")) == (100, 0, 100, 0)
    with room.database.transaction() as session:
        catalog.close_slice(session, "m", "split")
    after = room.ingest(lines(*range(100, 140)), task="split")
    assert after.accepted == 40
    assert 8 < after.into_suite < 32
    assert room.store.snapshot("m").slices == {"split": {"1": report.into_suite, "2": after.into_suite}}
    with room.database.read() as session:
        taught = 140 - report.into_suite - after.into_suite
        assert sum(repository.batches_since(session, "m", "split", None).values()) == taught
        moment = repository.get_batch(session, report.batch_id).finished_at
        assert sum(repository.batches_since(session, "m", "split", moment).values()) == 40 - after.into_suite


def test_a_held_out_prompt_does_not_come_back_as_training(room: Room) -> None:
    assert counts(room.ingest(lines("exam"), suite=True)) == (1, 1, 0, 0)
    report = room.ingest(lines("Exam? ", "free"))
    assert counts(report) == (2, 1, 1, 0)
    assert room.store.counts("m") == {"intent": 1}
    with room.database.transaction() as session:
        catalog.close_slice(session, "m", "intent")
    late = room.ingest(lines("free", "new"), suite=True)
    assert counts(late) == (2, 2, 0, 0)
    assert "trained already" in late.notes[0]


def test_a_delivery_without_a_usable_row_is_refused_but_remembered(room: Room) -> None:
    report = room.ingest(b"PAR1 no parquet", suffix="parquet")
    assert (counts(report), report.dataset_version) == ((1, 0, 0, 1), None)
    with room.database.read() as session:
        assert repository.get_batch(session, report.batch_id).state == "refused"
    assert counts(room.ingest(b"\n\n")) == (0, 0, 0, 0)


def test_what_can_not_be_taken_leaves_nothing_behind(make_room: Callable[..., Room], tmp_path: Path) -> None:
    room = make_room(tmp_path / "small", max_upload_bytes=2000)
    with pytest.raises(TooLarge, match="larger than 2000 bytes"):
        room.ingest(lines(*range(100)))
    with pytest.raises(NotFound, match="Known: intent, split"):
        room.ingest(lines("a"), task="intents")
    with pytest.raises(NotFound, match="Known: m"):
        service.ingest(room.intake, io.BytesIO(b"x"), BatchSpec("n", "intent"))
    with pytest.raises(InvalidInput, match="is empty"):
        room.ingest(b"")
    with pytest.raises(InvalidInput, match="There is no file"):
        room.ingest(tmp_path / "missing.jsonl")
    assert room.spooled() == []
    with room.database.read() as session:
        assert repository.list_batches(session) == []


def test_refused_rows_beyond_the_limit_are_counted(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "KEPT_REFUSALS", 10)
    report = room.ingest(b"x\n" * 15 + lines("a"))
    assert counts(report) == (16, 1, 0, 15)
    with room.database.read() as session:
        assert len(repository.refusals(session, report.batch_id, limit=20)) == 10


ROWS = st.one_of(
    st.sampled_from("abcdef").map(lambda p: line(p).encode()),
    st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")),
    st.builds(lambda p, c: json.dumps({"prompt": p, "completion": c}).encode(), st.text(), st.text()),
    st.dictionaries(st.sampled_from(["prompt", "completion", "text", "chosen"]), st.text() | st.none()).map(
        lambda d: json.dumps(d).encode()
    ),
)


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["intent", "split"]), st.booleans(), st.lists(ROWS)), min_size=1, max_size=3))
def test_counts_always_add_up(
    make_room: Callable[..., Room],
    tmp_path_factory: pytest.TempPathFactory,
    uploads: list[tuple[str, bool, list[bytes]]],
) -> None:
    room, accepted = make_room(tmp_path_factory.mktemp("home")), 0
    for task, suite, rows in uploads:
        body = b"\n".join(rows)
        try:
            report = room.ingest(body + b"\n", task, suite=suite, format="jsonl")
        except InvalidInput as refused:  # as a whole it is no file of rows: packed, Parquet, one array or object
            assert "file" in refused.sentence
            continue
        given = body.removeprefix(BOM_UTF8).split(b"\n")  # a mark of the file's encoding is no row
        assert report.received == sum(1 for row in given if not _is_blank(row))
        assert report.received == report.accepted + report.duplicate + report.refused
        assert len(report.refusals) == min(report.refused, service.REPORTED_REFUSALS)
        accepted += report.accepted
    kept = sum(room.store.counts("m").values()) + sum(room.store.counts("m", suite=True).values())
    assert kept == accepted
    with room.database.read() as session:
        assert all(row.state != "receiving" for row in session.scalars(select(Batch)))
    room.database.close()


def _is_blank(row: bytes) -> bool:
    try:
        return not row.decode().strip()
    except UnicodeDecodeError:
        return False
