"""Durable writes: temporary file, fsync, rename, fsync of the folder. Readers see the old or the new, never a part."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> Path:
    """The folder, when all that lies in it is on disk: before it gets a name under which it counts as whole."""
    for path in (*folder.rglob("*"), folder):
        (sync_folder if path.is_dir() else sync_file)(path)
    return folder


def write_json(path: Path, value: object) -> None:
    write_bytes(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode())


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def adopt_folder(temporary: Path, final: Path) -> Path:
    """Moves a finished folder to its content address. If the address is taken, the content is the same: drop ours.

    What is in it must be on disk already (`sync_tree`), or a power cut leaves a torn folder at the address for good.
    """
    import shutil

    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        shutil.rmtree(temporary)
    else:
        os.replace(temporary, final)
        sync_folder(final.parent)
    return final
