"""A base, an expert or a router is on disk before it has the name of its content: a torn one would keep that name."""

from pathlib import Path

import numpy as np
import pytest

from clm.llm.base import import_base, load_base
from clm.llm.experts import new_expert, save_expert
from clm.llm.router import fit_router, save_router
from syncs import RENAME, SYNC, Syncs, inode
from tiny import tiny_base


def was_whole(syncs: Syncs, made: Path) -> bool:
    before = syncs.calls[: syncs.calls.index((RENAME, inode(made)))]
    return {(SYNC, inode(path)) for path in (made, *made.rglob("*"))} <= set(before)


def test_what_is_named_by_its_content_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    folder = Path(import_base(str(tiny_base(tmp_path / "tiny")), tmp_path / "bases").path)
    assert was_whole(syncs, folder)
    base = load_base(folder, threads=1)
    _, expert = save_expert(new_expert(base, 1, 2, 4, seed=1), base.hash, tmp_path / "experts")
    assert was_whole(syncs, expert)
    random = np.random.default_rng(1)
    near, far = (random.normal(size=(20, 4)).astype(np.float32) + at for at in (0, 9))
    _, router = save_router(fit_router({"t": near}, far, seed=1), tmp_path / "routers")
    assert was_whole(syncs, router)
