"""A reason to update a task, looked for again and again."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clm.catalog.tables import Model
from clm.store.store import Store
from clm.trigger.policy import Decision


@dataclass(frozen=True)
class Watched:
    """A model as it is looked at."""

    session: Session
    store: Store
    model: Model
    tasks: Sequence[str]
    busy: frozenset[str]  # tasks that an update is waiting or running for


class Signal(ABC):
    """Gathers what the decision needs; the decision itself is pure (`clm.trigger`)."""

    kind = "learn"  # of the update that it asks for, see `clm.updates.service.KINDS`

    @abstractmethod
    def look(self, at: Watched) -> dict[str, Decision]:
        """By task: whether it is to be updated now, and why."""
