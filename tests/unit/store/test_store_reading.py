"""Reading many tasks at once: the same as one by one, without a look at the files for each."""

import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from clm.core.content import content_hash, prompt_hash
from clm.records import Record
from clm.store.delta import open_table
from clm.store.store import Store
from clm.store.view import View

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TASKS = [f"task-{n}" for n in range(8)]


def record(prompt: str, completion: str, task: str, minutes: int = 0, slice_: int | None = None) -> Record:
    content = {"prompt": prompt, "completion": completion}
    hashed = content_hash("completion", content)
    return Record(
        f"rec_{task}_{hashed[:16]}_{minutes}", task, "completion", content, hashed, prompt_hash("completion", content),
        AT + timedelta(minutes=minutes), AT, "test", "bat_1", slice=slice_,
    )  # fmt: skip


def filled(store: Store, seed: int) -> None:
    """Tasks that share prompts and differ in answers, some of which change, on both sides of the exam."""
    order = random.Random(seed)
    for number, task in enumerate(TASKS):
        rows = [record(f"prompt {order.randrange(12)}", f"answer {order.randrange(3)}", task, minutes)
                for minutes in range(10)]  # fmt: skip
        exam = [record(f"exam {order.randrange(6)}", f"answer {order.randrange(3)}", task, minutes, 1)
                for minutes in range(4)]  # fmt: skip
        store.append("m", exam, suite=True, batch_id=f"exam_{number}")
        store.append("m", rows, suite=False, batch_id=f"bat_{number}")


def view(data: Path) -> View:
    return View(open_table(data / "m" / "records"), open_table(data / "m" / "suites"))


@pytest.mark.parametrize("seed", range(5))
def test_what_holds_is_the_same_whether_tasks_are_asked_together_or_one_by_one(tmp_path: Path, seed: int) -> None:
    filled(Store(tmp_path), seed)
    together = view(tmp_path)
    assert together.held_out  # asks all of them
    superseded = 0
    for task in TASKS:
        alone = view(tmp_path)
        assert together.standing(task) == alone.standing(task)
        assert sorted(row["record_id"] for row in together.usable(task)) == sorted(
            row["record_id"] for row in alone.usable(task)
        )
        assert {row["task"] for row in together.taught(task).to_pylist()} == {task}
        superseded += len(alone.standing(task).superseded)
    assert superseded


def test_an_updates_stages_list_the_files_of_a_version_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    filled(store, 7)
    listed: Counter[str] = Counter()
    to_dataset: Any = DeltaTable.to_pyarrow_dataset

    def counted(table: DeltaTable) -> Any:
        listed[Path(table.table_uri).name] += 1
        return to_dataset(table)

    monkeypatch.setattr(DeltaTable, "to_pyarrow_dataset", counted)
    snapshot = store.snapshot("m")
    store.build_mixture(snapshot, TASKS[0], since=None, replay_share=0.5, seed=1, out=tmp_path / "mixture.parquet")
    store.write_suites(snapshot, tmp_path / "suites.parquet")
    assert max(listed.values()) == 1
    assert len(snapshot.suites) == len(TASKS)


def test_what_was_found_of_a_version_is_not_told_of_another(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("m", [record("what is it", "old", "facts")], suite=False, batch_id="bat_1")
    store.append("m", [record("exam", "yes", "facts")], suite=True, batch_id="bat_2")
    first = store.snapshot("m")
    assert first.counts == {"facts": 1}
    store.append("m", [record("exam two", "yes", "facts")], suite=True, batch_id="bat_3")
    assert (store.snapshot("m").suites, first.suites) == ({"facts": 2}, {"facts": 1})
    assert len(store.snapshot("m", dropped_examples=[record("exam", "yes", "facts").record_id]).suite_hashes) == 1
    assert store.snapshot("m", dropped_examples=[record("exam", "yes", "facts").record_id]).suites == {"facts": 1}


def test_a_folder_that_was_made_anew_is_read_anew(tmp_path: Path) -> None:
    for answer in ("old", "new"):
        store = Store(tmp_path / "data")
        store.append("m", [record("what is it", answer, "facts")], suite=False, batch_id="bat_1")
        found = view(tmp_path / "data").taught("facts").to_pylist()
        assert [row["record_id"] for row in found] == [record("what is it", answer, "facts").record_id]
        shutil.rmtree(tmp_path / "data")
