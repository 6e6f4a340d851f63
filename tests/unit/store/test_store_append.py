import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clm.core.content import content_hash, prompt_hash
from clm.errors import InvalidInput, NotFound
from clm.records import Record
from clm.store import delta
from clm.store.store import Store

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def record(prompt: str, completion: str = "yes", task: str = "intent", batch: str = "bat_1") -> Record:
    content = {"prompt": prompt, "completion": completion}
    hashed = content_hash("completion", content)
    return Record(
        "rec_" + hashed[:24], task, "completion", content, hashed, prompt_hash("completion", content),
        AT, AT, "test", batch,
    )  # fmt: skip


def said(first: str, then: str) -> Record:
    """A conversation, its last question being `then`."""
    turns = [("user", first), ("assistant", "Hello."), ("user", then), ("assistant", "There.")]
    content = {"messages": [{"role": role, "content": text} for role, text in turns]}
    hashed = content_hash("messages", content)
    return replace(
        record(then), record_id="rec_" + hashed[:24], shape="messages", content=content, content_hash=hashed,
        prompt_hash=prompt_hash("messages", content),
    )  # fmt: skip


def text(whole: str) -> Record:
    content = {"text": whole}
    hashed = content_hash("text", content)
    return replace(
        record(whole), record_id="rec_" + hashed[:24], shape="text", content=content, content_hash=hashed,
        prompt_hash=prompt_hash("text", content),
    )  # fmt: skip


def stored(store: Store, task: str = "intent") -> tuple[int, int]:
    return store.counts("m").get(task, 0), store.counts("m", suite=True).get(task, 0)


def test_every_batch_is_one_version_and_the_same_content_is_a_duplicate(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = store.append("m", [record("a"), record("b"), record("a")], suite=False, batch_id="bat_1")
    assert (first.fates, first.version) == (["accepted", "accepted", "duplicate"], 1)
    again = store.append("m", [record("b"), record("c")], suite=False, batch_id="bat_2")
    assert (again.fates, again.version) == (["duplicate", "accepted"], 2)
    nothing = store.append("m", [record("c")], suite=False, batch_id="bat_3")
    assert (nothing.fates, nothing.version) == (["duplicate"], None)
    other_task = store.append("m", [record("a", task="facts")], suite=False, batch_id="bat_4")
    assert other_task.accepted == 1
    assert store.counts("m") == {"facts": 1, "intent": 3}


def test_the_same_batch_twice_has_one_effect_and_one_answer(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("m", [record("exam")], suite=True, batch_id="bat_0")
    store.append("m", [record("known")], suite=False, batch_id="bat_1")
    rows = [record(p, batch="bat_2") for p in ("new", "known", "exam", "new", "newer")]
    first = store.append("m", rows, suite=False, batch_id="bat_2")
    assert first.fates == ["accepted", "duplicate", "barred", "duplicate", "accepted"]
    store.append("m", [record("later")], suite=False, batch_id="bat_3")
    assert store.append("m", rows, suite=False, batch_id="bat_2") == first
    assert stored(store) == (4, 1)


def test_training_rows_with_a_held_out_prompt_are_barred_whatever_their_answer_or_task(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("m", [record("exam", "no")], suite=True, batch_id="bat_1")
    rows = [record("exam", "yes"), record("exam", "no", task="facts"), record("free")]
    appended = store.append("m", rows, suite=False, batch_id="bat_2")
    assert appended.fates == ["barred", "barred", "accepted"]


def test_a_held_out_prompt_is_barred_however_it_is_written(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("m", [record("Where is it?"), said("Hi!", "Where is it?")], suite=True, batch_id="bat_1")
    rows = [record(" where  is IT"), said("Hi", "where is  it"), said("Ho", "Where is it?"), record("Where was it?")]
    appended = store.append("m", rows, suite=False, batch_id="bat_2")
    assert appended.fates == ["barred", "barred", "accepted", "accepted"]
    store.append("m", [text("A page.")], suite=True, batch_id="bat_3")
    appended = store.append("m", [text("a  page"), text("A pager")], suite=False, batch_id="bat_4")
    assert appended.fates == ["barred", "accepted"]


def test_a_sealed_suite_takes_no_prompt_that_may_have_been_trained_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("m", [record("trained")], suite=False, batch_id="bat_1")
    assert store.append("m", [record("trained")], suite=True, batch_id="bat_2", sealed=True).fates == ["barred"]
    assert store.append("m", [record("trained")], suite=True, batch_id="bat_3").fates == ["accepted"]


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    store = Store(tmp_path)
    full = replace(record("größe\n"), author="ann", quality={"length": 0.5}, source="folder", key="sku=7")
    store.append("m", [full, record("b")], suite=False, batch_id="bat_1")
    store.append("m", [record("c")], suite=False, batch_id="bat_2")
    (row,) = store.rows("m", [full.record_id, "rec_unknown"])
    assert {name: row[name] for name in full.__dict__} == full.__dict__
    assert store.rows("m", [record("c").record_id], version=1) == []
    assert store.count("m", "intent") == 3
    assert store.count("m", "intent", since=1) == 1
    assert store.count("m", "unknown") == 0


def test_versions_tell_what_each_batch_added(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.versions("m") == []
    store.append("m", [record("a"), record("b")], suite=False, batch_id="bat_1")
    newest = next(v for v in store.versions("m") if v.table == "records")
    assert (newest.version, newest.rows, newest.operation, newest.batch_id) == (1, 2, "WRITE", "bat_1")


def test_what_there_is_not_is_said_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(NotFound, match="no rows yet"):
        store.rows("m", ["rec_1"])
    store.append("m", [record("a")], suite=False, batch_id="bat_1")
    with pytest.raises(NotFound, match="there are 0 to 1"):
        store.rows("m", ["rec_1"], version=7)


def test_names_that_are_no_file_names_are_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "a b ü")
    assert store.append("m", [record("a", task="ä %/b")], suite=False, batch_id="bat_1").version == 1
    assert store.counts("m") == {"ä %/b": 1}
    with pytest.raises(InvalidInput, match="percent sign"):
        Store(tmp_path / "a%20b")


def test_texts_with_odd_line_ends_are_kept(tmp_path: Path) -> None:
    odd = record("a\x85b\u2028c\x0b", "\x1c")
    assert Store(tmp_path).append("m", [odd], suite=False, batch_id="bat_1").version == 1
    assert Store(tmp_path).rows("m", [odd.record_id])[0]["content"] == odd.content


def test_many_small_batches_are_joined_and_old_versions_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "COMPACT_EVERY", 3)
    store = Store(tmp_path)
    versions = [store.append("m", [record(str(i))], suite=False, batch_id=f"bat_{i}").version for i in range(5)]
    assert versions == [1, 2, 3, 5, 6]
    files = len(delta.open_table(tmp_path / "m" / "records").file_uris())
    assert (files, len(delta.open_table(tmp_path / "m" / "records", 3).file_uris())) == (1, 3)
    assert (store.counts("m"), store.count("m", "intent", since=3)) == ({"intent": 5}, 2)
    assert store.append("m", [record("2")], suite=False, batch_id="bat_2").fates == ["accepted"]
    ids = [record(str(i)).record_id for i in range(5)]
    assert [len(store.rows("m", ids, version=v)) for v in range(7)] == [0, 1, 2, 3, 3, 4, 5]


def test_many_writers_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    accepted: list[int] = []

    def write(n: int) -> None:
        rows = [record("shared"), record(f"own {n}")]
        accepted.append(Store(tmp_path).append("m", rows, suite=False, batch_id=f"bat_{n}").accepted)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(accepted) == 7
    assert Store(tmp_path).counts("m") == {"intent": 7}


def test_rows_that_fail_while_they_are_read_leave_no_version(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def broken():
        for i in range(2500):
            yield record(str(i))
        raise RuntimeError("the disk is gone")

    with pytest.raises(Exception, match="the disk is gone"):
        store.append("m", broken(), suite=False, batch_id="bat_1")
    assert store.counts("m") == {}
    assert store.append("m", [record("1")], suite=False, batch_id="bat_1").accepted == 1


PROMPTS = st.lists(st.sampled_from("abcdefgh"), max_size=8)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.booleans(), PROMPTS), max_size=5))
def test_no_prompt_is_ever_trained_on_after_it_was_held_out(
    tmp_path_factory: pytest.TempPathFactory, uploads: list[tuple[bool, list[str]]]
) -> None:
    store, held_out, trained = Store(tmp_path_factory.mktemp("store")), set[str](), set[str]()
    for i, (suite, prompts) in enumerate(uploads):
        appended = store.append("m", [record(p) for p in prompts], suite=suite, batch_id=f"bat_{i}")
        assert len(appended.fates) == len(prompts)
        taken = {p for p, fate in zip(prompts, appended.fates, strict=True) if fate == "accepted"}
        if suite:
            held_out |= taken
        else:
            assert not taken & held_out
            trained |= taken
    assert stored(store) == (len(trained), len(held_out))
