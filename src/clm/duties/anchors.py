"""Signs the head of the audit chain, so that a chain that was written anew does not match."""

from clm.audit import heads
from clm.duties.duty import Duty


class Anchors(Duty):
    def tick(self) -> None:
        heads.anchor(self.on.database, self.on.paths)
