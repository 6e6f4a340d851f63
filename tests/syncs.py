"""What reaches the disk, and in which order."""

import os
from pathlib import Path
from typing import Any

import pytest

SYNC, RENAME = "sync", "rename"


class Syncs:
    """Calls of `os.fsync` and `os.replace` since it was made, each with the inode that it was about."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, int]] = []
        fsync, replace = os.fsync, os.replace

        def noted_fsync(handle: int) -> None:
            fsync(handle)
            self.calls.append((SYNC, os.fstat(handle).st_ino))

        def noted_replace(source: Any, target: Any) -> None:
            replace(source, target)
            self.calls.append((RENAME, inode(Path(target))))

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "replace", noted_replace)

    def has(self, *paths: Path) -> bool:
        """Whether all of them were synced."""
        return {(SYNC, inode(path)) for path in paths} <= set(self.calls)


def inode(path: Path) -> int:
    return path.stat().st_ino
