import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from clm.core.content import content_hash, prompt_hash
from clm.core.hashing import sha256_file
from clm.errors import ClmError, InvalidInput
from clm.records import Record
from clm.store import delta, writing
from clm.store.mixture import Recall
from clm.store.store import Store

AT = datetime(2026, 1, 2, tzinfo=UTC)


def record(prompt: str, completion: str, task: str = "intent", hashed_as: str | None = None) -> Record:
    content = {"prompt": prompt, "completion": completion}
    hashed = content_hash("completion", content)
    return Record(
        "rec_" + hashed[:24], task, "completion", content, hashed,
        hashed_as or prompt_hash("completion", content), AT, AT, "test", "bat",
    )  # fmt: skip


def rows(start: int, end: int, task: str = "intent") -> list[Record]:
    return [record(f"question {i}", f"answer {i % 3}", task) for i in range(start, end)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """20 old rows (version 1), 10 new ones (version 2), and 5 held out."""
    store = Store(tmp_path / "data")
    store.append("m", rows(0, 20), suite=False, batch_id="bat_1")
    store.append("m", rows(20, 30), suite=False, batch_id="bat_2")
    store.append("m", rows(100, 105), suite=True, batch_id="bat_3")
    return store


def build(store: Store, out: Path, since: int | None = None, **more: Any):
    options: dict[str, Any] = {"replay_share": 0.5, "seed": 17} | more
    return store.build_mixture(store.snapshot("m"), "intent", since=since, out=out, **options)


def test_a_first_update_takes_every_row(store: Store, tmp_path: Path) -> None:
    mixture = build(store, tmp_path / "mixture.parquet")
    assert (mixture.new_rows, mixture.replay_rows, mixture.held_out) == (30, 0, 0)
    written = pq.read_table(mixture.path).to_pylist()
    assert [row["record_id"] for row in written] == list(mixture.record_ids)
    assert set(written[0]) == {"record_id", "task", "shape", "content", "origin"}
    assert json.loads(written[0]["content"]).keys() == {"prompt", "completion"}


def test_a_refresh_takes_new_rows_and_a_seeded_share_of_old_ones(store: Store, tmp_path: Path) -> None:
    mixture = build(store, tmp_path / "mixture.parquet", since=1)
    assert (mixture.new_rows, mixture.replay_rows) == (10, 5)
    new = {record.record_id for record in rows(20, 30)}
    for row in pq.read_table(mixture.path).to_pylist():
        assert (row["record_id"] in new) == (row["origin"] == "new")
    same, other = (
        build(store, tmp_path / "again.parquet", since=1),
        build(store, tmp_path / "c.parquet", since=1, seed=3),
    )
    assert (same.content_hash, sha256_file(Path(same.path))) == (mixture.content_hash, sha256_file(Path(mixture.path)))
    assert other.content_hash != mixture.content_hash
    assert build(store, tmp_path / "d.parquet", since=1, replay_share=1.0).replay_rows == 10
    assert build(store, tmp_path / "e.parquet", since=1, replay_share=0).replay_rows == 0


def test_the_order_of_arrival_does_not_matter(store: Store, tmp_path: Path) -> None:
    turned = Store(tmp_path / "turned")
    turned.append("m", rows(100, 105), suite=True, batch_id="bat_1")
    for i, batch in enumerate((rows(15, 30), rows(0, 15))):
        turned.append("m", batch, suite=False, batch_id=f"bat_{i + 2}")
    mine, theirs = build(store, tmp_path / "a.parquet"), build(turned, tmp_path / "b.parquet")
    assert mine.content_hash == theirs.content_hash
    assert store.snapshot("m").suite_hashes == turned.snapshot("m").suite_hashes


def test_a_snapshot_pins_what_was_there(store: Store, tmp_path: Path) -> None:
    pinned = store.snapshot("m")
    assert (pinned.tables, pinned.counts, pinned.suites) == (
        {"records": 2, "suites": 1},
        {"intent": 30},
        {"intent": 5},
    )
    store.append("m", rows(30, 40), suite=False, batch_id="bat_4")
    store.append("m", rows(105, 106), suite=True, batch_id="bat_5")
    mixture = store.build_mixture(pinned, "intent", since=None, replay_share=0, seed=1, out=tmp_path / "m.parquet")
    assert mixture.new_rows == 30
    assert pq.read_table(store.write_suites(pinned, tmp_path / "s.parquet")).num_rows == 5
    assert store.snapshot("m").suite_hashes != pinned.suite_hashes


def test_rows_that_were_held_out_later_are_left_out(store: Store, tmp_path: Path) -> None:
    late = [record("question 3", "another answer", task="facts"), record("question 4", "answer 1")]
    store.append("m", late, suite=True, batch_id="bat_9")
    mixture = build(store, tmp_path / "mixture.parquet")
    assert (mixture.new_rows, mixture.held_out) == (28, 2)
    prompts = {json.loads(row["content"])["prompt"] for row in pq.read_table(mixture.path).to_pylist()}
    assert not prompts & {"question 3", "question 4"}


def test_a_stored_hash_that_lies_can_not_smuggle_a_held_out_row_in(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(delta, "prompt_key", lambda *_: "f" * 64)
        patch.setattr(writing, "prompt_key", lambda *_: "f" * 64)
        store.append("m", [record("question 101", "answer 2")], suite=False, batch_id="bat_9")
    out = tmp_path / "mixture.parquet"
    with pytest.raises(ClmError, match="1 held-out prompts reached"):
        build(store, out)
    assert not out.exists()


def test_nothing_sensible_to_train_on_is_said_so(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "mixture.parquet"
    with pytest.raises(InvalidInput, match="no new rows since"):
        build(store, out, since=2)
    with pytest.raises(InvalidInput, match="has no training rows"):
        store.append("m", rows(200, 203, "details"), suite=True, batch_id="bat_5")
        store.build_mixture(store.snapshot("m"), "details", since=None, replay_share=0, seed=1, out=out)
    same = [record(f"other {i}", "always this", "details") for i in range(9)]
    with pytest.raises(InvalidInput, match="same answer"):
        store.append("m", same, suite=False, batch_id="bat_6")
        store.build_mixture(store.snapshot("m"), "details", since=None, replay_share=0, seed=1, out=out)
    with pytest.raises(InvalidInput, match="stand in a suite too"):
        store.append("m", same, suite=True, batch_id="bat_7")
        store.build_mixture(store.snapshot("m"), "details", since=None, replay_share=0, seed=1, out=out)
    assert not out.exists()


def test_suites_are_written_by_task_in_a_fixed_order(store: Store, tmp_path: Path) -> None:
    store.append("m", rows(200, 203, "facts"), suite=True, batch_id="bat_4")
    snapshot = store.snapshot("m")
    written = pq.read_table(store.write_suites(snapshot, tmp_path / "s.parquet")).to_pylist()
    assert set(written[0]) == {"example_id", "task", "shape", "content", "prompt_hash", "content_hash", "slice",
                               "kind", "old_answers"}  # fmt: skip
    assert [row["task"] for row in written] == ["facts"] * 3 + ["intent"] * 5
    assert [row["content_hash"] for row in written[3:]] == sorted(row["content_hash"] for row in written[3:])
    only = pq.read_table(store.write_suites(snapshot, tmp_path / "f.parquet", tasks=["facts"]))
    assert set(only["task"].to_pylist()) == {"facts"}


def test_rows_that_can_not_be_trained_on_are_left_out_and_named(store: Store, tmp_path: Path) -> None:
    odd, old = rows(25, 26)[0], rows(3, 4)[0]

    def unfit(_shape: str, content: dict[str, str]) -> str | None:
        return "is odd" if content["prompt"] in ("question 25", "question 3") else None

    mixture = build(store, tmp_path / "m.parquet", since=1, replay_share=3.0, recall=Recall(unfit=unfit))
    assert (mixture.new_rows, mixture.replay_rows) == (9, 19)
    assert mixture.unfit == {odd.record_id: "is odd", old.record_id: "is odd"}
    assert set(mixture.left_out) == {odd.record_id, old.record_id}  # the next update asks again
    assert not {odd.record_id, old.record_id} & set(mixture.record_ids)
    again = Recall(unseen=mixture.left_out)
    assert build(store, tmp_path / "n.parquet", since=2, replay_share=0, recall=again).new_rows == 2
    with pytest.raises(InvalidInput, match=r"None of the 10 new rows .* nothing is left .*rec_"):
        build(store, tmp_path / "o.parquet", since=1, recall=Recall(unfit=lambda _shape, _content: "is odd"))


def test_what_was_dropped_leaves_mixture_and_suite_and_the_snapshot_says_so(store: Store, tmp_path: Path) -> None:
    new, old, held_out = (rows(n, n + 1)[0].record_id for n in (25, 3, 100))
    pinned = store.snapshot("m", dropped=[new, old], dropped_examples=[held_out])
    out = tmp_path / "m.parquet"
    mixture = store.build_mixture(pinned, "intent", since=1, replay_share=2.0, seed=1, out=out)
    assert (mixture.new_rows, mixture.replay_rows) == (9, 18)
    assert set(mixture.dropped) == set(mixture.left_out) == {new, old} == set(pinned.dropped)
    assert pinned.suites == {"intent": 4} and pinned.suite_hashes != store.snapshot("m").suite_hashes
    written = pq.read_table(store.write_suites(pinned, tmp_path / "s.parquet"))
    assert written.num_rows == 4 and held_out not in written["example_id"].to_pylist()
    before = store.build_mixture(store.snapshot("m"), "intent", since=1, replay_share=2.0, seed=1, out=out)
    assert (before.new_rows, before.replay_rows) == (10, 20)  # an older snapshot gives what it gave
