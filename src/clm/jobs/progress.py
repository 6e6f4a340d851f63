"""What a job says on its way: a line of JSON each in `progress.jsonl`, and who follows them."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from clm.core.clock import iso, now
from clm.core.hashing import canonical_json

FILE = "progress.jsonl"
_heard: ContextVar[Callable[[], None] | None] = ContextVar("heard", default=None)


def tell(folder: Path, stage: str, line: dict[str, Any]) -> None:
    """Adds a line: `step`, `steps`, `loss`, `tokens_per_second`, `eta_seconds` where known, and a `message`.

    Where the job runs in our process, who follows it may raise here to stop it.
    """
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(canonical_json({"at": iso(now()), "stage": stage, **line}) + "\n")
    if listener := _heard.get():
        listener()


@contextmanager
def listening(listener: Callable[[], None]) -> Generator[None]:
    """Calls `listener` after each line that a job in this thread tells."""
    token = _heard.set(listener)
    try:
        yield
    finally:
        _heard.reset(token)


class Progress:
    """Follows a growing file of JSON lines; a line still being written waits for its end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._offset = self._path.stat().st_size if self._path.exists() else 0
        self.latest: dict[str, Any] | None = None
        self._messages: list[dict[str, Any]] = []

    def read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        for line in data[:whole].splitlines():
            event = json.loads(line)
            self.latest = event
            if event.get("message"):
                self._messages.append(event)

    def take_messages(self) -> list[dict[str, Any]]:
        """The lines with a sentence that were not taken before."""
        taken, self._messages = self._messages, []
        return taken
