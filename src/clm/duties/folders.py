"""Takes in what was put into watched folders."""

from clm.core.caller import WORKER
from clm.duties.duty import Duty
from clm.ingest.sources import folder


class Folders(Duty):
    def tick(self) -> None:
        folder.scan(self.on.database, self.on.store, self.on.settings, WORKER)
