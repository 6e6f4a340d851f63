"""What was written survives a power cut, and readers never see a part of it."""

import os
from pathlib import Path

import pytest

from clm.core.files import adopt_folder, read_json, write_json
from syncs import RENAME, SYNC, Syncs, inode


def test_a_file_is_on_disk_before_it_has_its_name_and_its_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs, file = Syncs(monkeypatch), tmp_path / "new" / "state.json"
    write_json(file, {"a": 1})
    assert syncs.calls == [(SYNC, inode(file)), (RENAME, inode(file)), (SYNC, inode(file.parent))]


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.json"
    write_json(file, {"a": 1})

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(file, {"a": 2})
    assert (read_json(file), list(tmp_path.iterdir())) == ({"a": 1}, [file])


def test_an_adopted_folder_has_its_place_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made").mkdir()
    syncs = Syncs(monkeypatch)
    final = adopt_folder(tmp_path / "made", tmp_path / "all" / "final")
    assert syncs.calls == [(RENAME, inode(final)), (SYNC, inode(final.parent))]


def test_of_equal_folders_the_first_stays(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    for name in ("first", "second"):
        final = adopt_folder(tmp_path / name, tmp_path / "final")
        assert [file.name for file in final.iterdir()] == ["first"]
    assert not (tmp_path / "second").exists()
