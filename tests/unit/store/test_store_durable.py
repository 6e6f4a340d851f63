"""An acknowledged batch survives a power cut: delta-rs doesn't see to that, so the store does."""

from pathlib import Path

import pytest
from test_store_append import record

from clm.store.store import Store
from syncs import Syncs


def test_what_a_batch_added_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.append("m", [record("before")], suite=False, batch_id="bat_1")
    there, syncs = set(tmp_path.rglob("*")), Syncs(monkeypatch)
    store.append("m", [record("after")], suite=False, batch_id="bat_2")
    added = {path for path in tmp_path.rglob("*") if path.suffix in (".json", ".parquet")} - there
    assert {path.suffix for path in added} == {".json", ".parquet"}
    assert syncs.has(*added, *(path.parent for path in added))
