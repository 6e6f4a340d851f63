"""What the worker does again and again."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from clm.installation import Installation

Start = Callable[[str], None]  # begins to run an update, by its id


def nothing_to_run(update_id: str) -> None:
    raise RuntimeError(f"update {update_id} can't be run here: this duty was given no runner")


class Duty(ABC):
    """One on one installation. It may fail and may be killed: what it knows lies in the database."""

    def __init__(self, on: Installation, start: Start = nothing_to_run) -> None:
        self.on = on
        self.start = start

    @abstractmethod
    def tick(self) -> object:
        """Does what there is to do now."""

    def close(self) -> None:  # noqa: B027 - most hold nothing open
        """Lets go of what it holds open."""
