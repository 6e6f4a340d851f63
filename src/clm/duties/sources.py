"""Takes in what lies at the sources."""

from clm.core.caller import WORKER
from clm.duties.duty import Duty
from clm.ingest.sources import service as sources


class Sources(Duty):
    def tick(self) -> None:
        sources.poll(self.on.intake(WORKER))
