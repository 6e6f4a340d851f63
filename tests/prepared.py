"""Folders that take long to make: made once per run, by whichever of pytest-xdist's workers comes first."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clm.core.locks import file_lock


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled. All tests of a run share it: copy it before anything in it is changed."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # each worker has a folder of its own in it
    folder = root / f"prepared-{name}"
    with file_lock(root / f"prepared-{name}.lock"):
        done = root / f"prepared-{name}.done"
        if not done.exists():
            make(folder)
            done.touch()
    return folder
