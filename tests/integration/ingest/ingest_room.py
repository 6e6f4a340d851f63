"""A home to ingest into, for the tests of this folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clm.core.caller import Caller
from clm.core.database import Database
from clm.ingest import service
from clm.ingest.intake import BatchSpec, Intake
from clm.records import IngestReport
from clm.settings import Settings
from clm.store.store import Store

CALLER = Caller("cli:test")


@dataclass
class Room:
    """A home with a model `m` and its tasks `intent` (nothing held out by itself) and `split` (half is)."""

    settings: Settings
    database: Database
    store: Store

    def ingest(self, body: bytes | Path, task: str = "intent", **more: Any) -> IngestReport:
        if isinstance(body, bytes):
            file = self.settings.home / f"upload.{more.pop('suffix', 'jsonl')}"
            file.write_bytes(body)
            body = file
        return service.ingest(self.intake, body, BatchSpec("m", task, **more))

    @property
    def intake(self) -> Intake:
        return Intake(self.database, self.store, self.settings, CALLER)

    def spooled(self) -> list[Path]:
        return list(self.settings.paths.spool.iterdir())
