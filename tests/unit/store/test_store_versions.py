"""What holds and what is superseded, however the rows arrive."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from clm.core.content import content_hash, normalised, prompt_hash
from clm.facts import Ruling
from clm.records import Record
from clm.store import delta
from clm.store.exam import Recalled, thinned
from clm.store.store import Store
from clm.store.versions import Version, stand

START = datetime(2026, 1, 1, tzinfo=UTC)


def version(name: str, answer: str, day: int, key: str = "k", held: bool = False) -> Version:
    moment = START + timedelta(days=day)
    return Version(name, key, f"prompt of {key}", answer, moment, START, held)


VERSIONS = st.lists(
    st.builds(version, st.uuids().map(str), st.sampled_from("abc"), st.integers(0, 4), st.sampled_from("kl")),
    max_size=7,
)


@given(VERSIONS, st.randoms())
def test_the_order_of_arrival_changes_nothing(versions: list[Version], dice: object) -> None:
    expected = stand(versions)
    turned = list(versions)
    dice.shuffle(turned)  # type: ignore[attr-defined]
    assert stand(turned) == expected
    for key in {row.key for row in versions}:
        group = [row for row in versions if row.key == key]
        newest = max(row.event_time for row in group)
        current = {row.answer_key for row in group if row.event_time == newest}
        assert {row.record_id for row in group if row.record_id not in expected.superseded} == {
            row.record_id for row in group if row.answer_key in current
        }


def test_undecided_rows_supersede_nothing_until_somebody_rules() -> None:
    old, new = version("old", "15", 0), version("new", "12", 0, held=True)
    assert stand([old, new]).superseded == {} and stand([old, new]).undecided == {"new"}
    for rulings, superseded in (
        ([Ruling(("new",), ("old",))], {"old": "new"}),
        ([Ruling(("old",), ("new",))], {"new": "old"}),
        ([Ruling(("old", "new"))], {}),
    ):
        assert (stand([old, new], rulings).superseded, stand([old, new], rulings).undecided) == (
            superseded,
            frozenset(),
        )
    later = version("later", "10", 3)
    assert set(stand([old, new, later], [Ruling(("old", "new"))]).superseded) == {"old", "new"}


def test_a_named_key_and_a_prompt_both_hold_rows_together() -> None:
    unnamed = Version("a", "p1", "p1", "15", START, START)
    named = Version("b", "sku=1", "p1", "12", START + timedelta(1), START)
    other = Version("c", "sku=1", "p2", "11", START + timedelta(2), START)
    assert stand([unnamed, named, other]).superseded == {"a": "b", "b": "c"}


def test_prompts_are_compared_by_meaning_and_not_by_bytes() -> None:
    same = ["Where is order 7", " where  is ORDER 7?", "Where is order \uff17!"]
    assert len({normalised(text) for text in same}) == 1
    for one, other in (("3-4", "3+4"), ("-5", "5"), ("C#", "C"), ("5 %", "5"), ("1.5", "15"), ("a != b", "a = b")):
        assert normalised(one) != normalised(other)
    assert normalised("?!") == "?!"


def record(prompt: str, completion: str, day: int = 0) -> Record:
    content = {"prompt": prompt, "completion": completion}
    hashed = content_hash("completion", content)
    return Record(
        f"rec_{hashed[:24]}", "t", "completion", content, hashed, prompt_hash("completion", content),
        START + timedelta(days=day), START, "test", "bat",
    )  # fmt: skip


def test_what_is_taught_does_not_depend_on_the_order_of_deliveries(tmp_path: Path) -> None:
    deliveries = [[record("a", "1", 0), record("b", "1", 5)], [record("a", "2", 3)], [record("b", "0", 1)]]
    taught: set[tuple[str, ...]] = set()
    for n, order in enumerate(permutations(deliveries)):
        store = Store(tmp_path / str(n))
        for i, rows in enumerate(order):
            store.append("m", rows, suite=False, batch_id=f"bat_{i}")
        made = store.build_mixture(store.snapshot("m"), "t", since=None, replay_share=0, seed=1, out=tmp_path / "m")
        assert (made.superseded, made.new_rows) == (2, 2)
        taught.add(made.record_ids)
    assert len(taught) == 1


def test_few_new_rows_are_replayed_with_a_sample_of_the_whole_task(tmp_path: Path) -> None:
    from clm.store.mixture import Recall

    store = Store(tmp_path / "data")
    store.append("m", [record(f"old {i}", str(i)) for i in range(30)], suite=False, batch_id="bat_1")
    store.append("m", [record("old 3", "new", 1)], suite=False, batch_id="bat_2")
    made = store.build_mixture(
        store.snapshot("m"), "t", since=1, replay_share=0.5, seed=1, out=tmp_path / "m", recall=Recall(at_least=20)
    )
    assert (made.new_rows, made.replay_rows, made.superseded) == (1, 20, 1)


def test_taught_prompts_are_asked_again_with_their_old_answers(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    store.append("m", [record(f"old {i}", str(i)) for i in range(30)], suite=False, batch_id="bat_1")
    store.append("m", [record("old 3", "new", 1)], suite=False, batch_id="bat_2")
    plan = Recalled("t", sample=10, since=1, learns=True, closed=2)
    file = store.write_suites(store.snapshot("m"), tmp_path / "s", tasks=["t"], recall=[plan])
    rows = pq.read_table(file).to_pylist()
    assert {row["kind"] for row in rows} == {"recall"} and len(rows) in (10, 11)
    (changed,) = [row for row in rows if row["slice"] == 2]
    assert (changed["old_answers"], '"new"' in changed["content"]) == ('["3"]', True)
    elsewhere = Recalled("t", sample=30, since=1)  # of a task that is not updated: only what it has learned
    file = store.write_suites(store.snapshot("m"), tmp_path / "s", tasks=["t"], recall=[elsewhere])
    assert pq.read_table(file).num_rows == 29


def test_tables_from_before_keys_and_slices_keep_working(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    before = pa.schema([delta.SCHEMA.field(i) for i in range(13)])
    kept = {"records": [record("Lamp?", "15"), record("desk", "90")], "suites": [record("Exam?", "yes")]}
    for table, rows in kept.items():
        batch = pa.Table.from_batches([delta.to_batch(rows)]).select(before.names)
        write_deltalake(tmp_path / "data" / "m" / table, batch, partition_by=["task"])
    old = store.snapshot("m")
    assert (old.suites, old.slices) == ({"t": 1}, {"t": {"1": 1}})
    assert store.append("m", [record("exam", "yes")], suite=False, batch_id="bat_3").fates == ["barred"]
    store.append("m", [record("lamp", "12", 1)], suite=False, batch_id="bat_4")
    store.append("m", [replace(record("river", "wet"), slice=2, kind="held_out")], suite=True, batch_id="bat_5")
    for pinned, superseded, new in ((old, 0, 2), (store.snapshot("m"), 1, 2)):
        made = store.build_mixture(pinned, "t", since=None, replay_share=0, seed=1, out=tmp_path / "m")
        assert (made.superseded, made.new_rows) == (superseded, new)
    rows = pq.read_table(store.write_suites(store.snapshot("m"), tmp_path / "s")).to_pylist()
    assert sorted((row["slice"], row["kind"]) for row in rows) == [(1, "held_out"), (2, "held_out")]
    assert [row.state for row in store.history("m", "lamp")] == ["superseded", "holds"]


def test_old_slices_are_thinned_fairly_and_never_to_nothing() -> None:
    rows = [
        {"prompt_key": f"{i:04}", "record_id": f"r{i}", "answer_key": str(i % 4), "slice": slice, "kind": kind}
        for i, (slice, kind) in enumerate([(1, "held_out")] * 200 + [(2, "own")] * 60 + [(3, "held_out")] * 100)
    ]
    kept = thinned(rows, (40, 600))
    counts = {n: sum(row["slice"] == n for row in kept) for n in (1, 2, 3)}
    assert counts == {1: 40, 2: 60, 3: 100}
    first = [row["answer_key"] for row in kept if row["slice"] == 1]
    assert {answer: first.count(answer) for answer in set(first)} == dict.fromkeys("0123", 10)
    fewer = thinned(rows, (30, 20))
    assert {row["record_id"] for row in fewer} <= {row["record_id"] for row in kept}
    assert sum(row["slice"] == 1 for row in fewer) == 20
