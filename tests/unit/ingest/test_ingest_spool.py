"""An upload is on disk before anyone is told that it came."""

import io
from pathlib import Path

import pytest

from clm.ingest.spool import spool
from clm.settings import Settings
from syncs import Syncs


def test_an_upload_and_its_name_are_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Syncs(monkeypatch)
    spooled = spool(Settings(home=tmp_path), io.BytesIO(b'{"text": "a"}\n'))
    assert spooled.path.read_bytes() == b'{"text": "a"}\n'
    assert syncs.has(spooled.path, spooled.path.parent)
