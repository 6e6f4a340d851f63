"""What of the past reaches a mixture: from a memory, of other tasks, and what must never be replayed."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from clm.core.content import content_hash, prompt_hash
from clm.core.hashing import sha256_file
from clm.errors import InvalidInput, TamperedArtifact
from clm.policies import MemoryPolicy
from clm.records import Memory, Mixture, Record
from clm.store.memory_file import load_memory
from clm.store.mixture import Recall
from clm.store.store import Store

AT = datetime(2026, 1, 2, tzinfo=UTC)


def record(prompt: str, completion: str, task: str = "intent", batch: str = "bat") -> Record:
    content = {"prompt": prompt, "completion": completion}
    hashed = content_hash("completion", content)
    return Record(
        "rec_" + hashed[:24], task, "completion", content, hashed, prompt_hash("completion", content), AT, AT,
        "test", batch,
    )  # fmt: skip


def rows(start: int, end: int, task: str = "intent", batch: str = "bat") -> list[Record]:
    """Of ten rows one has the rare answer."""
    return [record(f"{task} {i}", "rare" if i % 10 == 0 else "common", task, batch) for i in range(start, end)]


def ids(records: list[Record]) -> set[str]:
    return {record.record_id for record in records}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Of intent 100 old rows (version 1) and 20 new ones (version 2); of facts 50 (version 3)."""
    store = Store(tmp_path / "data")
    store.append("m", rows(0, 100, batch="bat_1"), suite=False, batch_id="bat_1")
    store.append("m", rows(100, 120, batch="bat_2"), suite=False, batch_id="bat_2")
    store.append("m", rows(0, 50, "facts", "bat_3"), suite=False, batch_id="bat_3")
    store.append("m", rows(900, 905), suite=True, batch_id="bat_4")
    return store


def build(store: Store, out: Path, recall: Recall, since: int | None = 1, replay_share: float = 1.0) -> Mixture:
    return store.build_mixture(
        store.snapshot("m"), "intent", since=since, replay_share=replay_share, seed=17, out=out, recall=recall
    )


def replayed(mixture: Mixture) -> set[str]:
    return {row["record_id"] for row in pq.read_table(mixture.path).to_pylist() if row["origin"] == "replay"}


def erase(store_path: Path, record_id: str) -> None:
    DeltaTable(store_path / "data" / "m" / "records").delete(f"record_id = '{record_id}'")


def remember(store: Store, mixture: Mixture, folder: Path, **more: Any) -> Memory:
    options: dict[str, Any] = {"before": None, "budget": 1.0, "seed": 17} | more
    policy = options.pop("policy", MemoryPolicy(policy="balanced", rows=30))
    return store.make_memory(store.snapshot("m"), mixture, policy, folder=folder, **options)


def test_only_what_is_remembered_is_replayed(store: Store, tmp_path: Path) -> None:
    kept = ids(rows(40, 60))
    mixture = build(store, tmp_path / "m.parquet", Recall(memories={"intent": kept}))
    assert replayed(mixture) == kept
    assert (mixture.new_rows, mixture.replay_rows, mixture.memory_rows) == (20, 20, 20)
    assert (mixture.replayed, mixture.batches) == ({"intent": 20}, {"bat_2": 20})
    assert mixture.answers == {"common": [18, 18], "rare": [2, 2]}
    assert build(store, tmp_path / "m.parquet", Recall()).memory_rows is None


def test_a_balanced_memory_is_replayed_in_balance(store: Store, tmp_path: Path) -> None:
    mixture = build(store, tmp_path / "m.parquet", Recall(policy="balanced"))
    assert mixture.answers == {"common": [18, 10], "rare": [2, 10]}
    fair = build(store, tmp_path / "m.parquet", Recall(policy="random"))
    assert fair.answers["rare"][1] < 10


def test_an_erased_row_is_never_replayed(store: Store, tmp_path: Path) -> None:
    kept = rows(40, 60)
    erase(tmp_path, kept[3].record_id)
    mixture = build(store, tmp_path / "m.parquet", Recall(memories={"intent": ids(kept)}))
    assert replayed(mixture) == ids(kept) - {kept[3].record_id}
    assert mixture.memory_rows == 19
    assert {row["record_id"] for row in store.rows("m", ids(kept))} == ids(kept) - {kept[3].record_id}


def test_a_row_that_was_held_out_since_is_never_replayed(store: Store, tmp_path: Path) -> None:
    kept = rows(40, 60)
    store.append("m", kept[:5], suite=True, batch_id="bat_9")
    mixture = build(store, tmp_path / "m.parquet", Recall(memories={"intent": ids(kept)}))
    assert replayed(mixture) == ids(kept[5:])


def test_held_rows_of_another_task_are_not_replayed_though_a_memory_has_them(store: Store, tmp_path: Path) -> None:
    held, free = rows(50, 55, "facts", "bat_5"), rows(0, 5, "facts", "bat_3")
    store.append("m", held, suite=False, batch_id="bat_5")
    recall = Recall(memories={"intent": (), "facts": ids(held + free)}, replay_tasks=("facts",), held={"bat_5"})
    assert replayed(build(store, tmp_path / "m.parquet", recall)) == ids(free)


def test_held_batches_are_left_out_and_come_back_as_new(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"All 20 new rows .* are held.*clm data held list"):
        build(store, tmp_path / "m.parquet", Recall(held={"bat_2"}))
    store.append("m", rows(120, 130, batch="bat_5"), suite=False, batch_id="bat_5")
    without = build(store, tmp_path / "m.parquet", Recall(held={"bat_2"}))
    assert (without.batches, set(without.left_out)) == ({"bat_5": 10}, ids(rows(100, 120)))
    version = store.snapshot("m").tables["records"]
    released = build(store, tmp_path / "m.parquet", Recall(unseen=without.left_out), since=version)
    assert (released.batches, released.left_out) == ({"bat_2": 20}, ())


def test_rows_of_tasks_that_share_the_adapter_are_replayed_too(store: Store, tmp_path: Path) -> None:
    recall = Recall(memories={"facts": ids(rows(0, 30, "facts"))}, replay_tasks=["facts"])
    mixture = build(store, tmp_path / "m.parquet", recall)
    assert mixture.replayed == {"facts": 10, "intent": 10}
    assert {row["task"] for row in pq.read_table(mixture.path).to_pylist() if row["origin"] == "new"} == {"intent"}
    weighed = build(store, tmp_path / "m.parquet", replace(recall, shares={"facts": 3}))
    assert weighed.replayed == {"facts": 15, "intent": 5}
    assert build(store, tmp_path / "m.parquet", recall, replay_share=math.inf).replayed == {"facts": 30, "intent": 100}
    assert build(store, tmp_path / "m.parquet", Recall(replay_tasks=["facts"])).replayed == {"intent": 20}


def test_every_update_draws_other_rows(store: Store, tmp_path: Path) -> None:
    recall = Recall(memories={"intent": ids(rows(0, 100))})
    first = replayed(build(store, tmp_path / "a.parquet", recall))
    assert replayed(build(store, tmp_path / "b.parquet", recall)) == first
    store.append("m", rows(120, 121), suite=False, batch_id="bat_5")
    assert replayed(build(store, tmp_path / "c.parquet", recall)) != first


def test_a_memory_keeps_old_and_new_rows_within_its_budget_and_holds_no_content(store: Store, tmp_path: Path) -> None:
    mixture = build(store, tmp_path / "m.parquet", Recall())
    memory = remember(store, mixture, tmp_path / "memories")
    assert (memory.rows, memory.most_rows, memory.policy) == (30, 30, "balanced")
    kept = load_memory(tmp_path / "memories", memory.hash)
    there = store.remembered("m", "intent", kept.record_ids)
    assert sum(row["bytes"] for row in there) == memory.bytes
    assert sum(row["answer"] == "rare" for row in there) == 12  # all that there are
    (file,) = (tmp_path / "memories").iterdir()
    assert sha256_file(file) == memory.hash == remember(store, mixture, tmp_path / "memories").hash
    assert b"common" not in file.read_bytes()
    half = remember(store, mixture, tmp_path / "memories", budget=0.5)
    assert (half.rows, half.most_bytes) == (15, 8_000_000)
    small = MemoryPolicy(policy="balanced", rows=30, megabytes=0.001)
    assert remember(store, mixture, tmp_path / "memories", policy=small).bytes <= 1000


def test_the_next_memory_chooses_among_the_last_one_and_the_new_rows(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "memories"
    first = remember(store, build(store, tmp_path / "m.parquet", Recall(), since=None), folder)
    kept = load_memory(folder, first.hash)
    store.append("m", rows(120, 140, batch="bat_5"), suite=False, batch_id="bat_5")
    version = store.snapshot("m").tables["records"] - 1
    recall = Recall(policy="balanced", memories={"intent": kept.record_ids})
    mixture = build(store, tmp_path / "m.parquet", recall, since=version)
    erase(tmp_path, kept.record_ids[0])
    second = load_memory(folder, remember(store, mixture, folder, before=first.hash).hash)
    assert set(second.record_ids) <= set(kept.record_ids[1:]) | ids(rows(120, 140))
    assert set(second.record_ids) & ids(rows(120, 140))


def test_rows_on_hold_do_not_enter_the_memory(store: Store, tmp_path: Path) -> None:
    store.append("m", rows(120, 130, batch="bat_5"), suite=False, batch_id="bat_5")
    mixture = build(store, tmp_path / "m.parquet", Recall(held={"bat_2"}))
    memory = remember(store, mixture, tmp_path / "memories", policy=MemoryPolicy(rows=500))
    assert set(load_memory(tmp_path / "memories", memory.hash).record_ids) == ids(rows(0, 100) + rows(120, 130))


def described(file: Path, losses: dict[str, float]) -> Path:
    pl.DataFrame(
        {"record_id": list(losses), "loss": list(losses.values()), "features": [None] * len(losses)},
        schema={"record_id": pl.String, "loss": pl.Float64, "features": pl.List(pl.Float32)},
    ).write_parquet(file)
    return file


def test_measured_rows_come_first_and_keep_their_measure(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "memories"
    policy = MemoryPolicy(policy="surprising", rows=25)
    mixture = build(store, tmp_path / "m.parquet", Recall())
    new = [record.record_id for record in rows(100, 120)]
    losses = described(tmp_path / "rows.parquet", {record_id: n / 10 for n, record_id in enumerate(new)})
    first = remember(store, mixture, folder, policy=policy, described=losses)
    kept = load_memory(folder, first.hash)
    assert list(kept.record_ids[:19]) == new[18::-1]  # the last one has a loss that stands out
    assert len(kept.record_ids) == 25
    again = load_memory(folder, remember(store, mixture, folder, policy=policy, before=first.hash).hash)
    assert again.losses.items() <= kept.losses.items()
    assert again.losses
    losses = described(tmp_path / "rows.parquet", dict.fromkeys(new, math.nan))
    with pytest.raises(InvalidInput, match="20 rows the loss is not a finite number"):
        remember(store, mixture, folder, policy=policy, described=losses)


def test_a_memory_that_was_changed_is_not_used(store: Store, tmp_path: Path) -> None:
    mixture = build(store, tmp_path / "m.parquet", Recall())
    memory = remember(store, mixture, tmp_path)
    with (tmp_path / f"{memory.hash}.parquet").open("ab") as file:
        file.write(b" ")
    with pytest.raises(TamperedArtifact, match="was changed; restore"):
        load_memory(tmp_path, memory.hash)
    with pytest.raises(TamperedArtifact, match="is missing"):
        load_memory(tmp_path, "0" * 64)
