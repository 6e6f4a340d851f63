"""The request log: collected in memory, written in batches beside the request path.

A request never waits for the database. While it can't be written (locked, disk full), rows wait in memory; feedback
forces them out first, so that the answer it speaks of is there.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

log = logging.getLogger(__name__)

AT_ONCE = 1000  # rows in a transaction: after an outage others want to write too
MOST_WAITING = 200_000  # rows kept while the database can't be written; then the oldest are dropped, and that is logged


@dataclass(frozen=True)
class AnswerRecord:
    """One request to one release. Holds no content."""

    id: str
    model: str
    release_id: str
    expert: str | None
    conversation: str
    status: int
    error: str | None
    latency_ms: float
    prompt_tokens: int
    completion_tokens: int
    pinned: bool
    at: datetime


class Archive(Protocol):
    """Where answers and feedback are kept; the program passes in monitoring on the database."""

    def add_answers(self, records: list[AnswerRecord]) -> None: ...
    def add_feedback(self, record_id: str, score: float, comment: str | None) -> str: ...


class RequestLog:
    def __init__(self, archive: Archive, seconds: float = 0.1) -> None:
        self._archive = archive
        self._seconds = seconds
        self._waiting: deque[AnswerRecord] = deque()
        self._writing = threading.Lock()  # one writer at a time, so that a flush waits for the batch under way
        self._closed = threading.Event()
        self._troubled = False
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def add(self, record: AnswerRecord) -> None:
        if len(self._waiting) >= MOST_WAITING:
            log.error("request log is full, answer %s is dropped", self._waiting.popleft().id)
        self._waiting.append(record)

    def flush(self) -> None:
        """Writes what waits. Raises what the archive raises; then everything still waits."""
        with self._writing:
            left = len(self._waiting)
            while left > 0:
                batch = [self._waiting.popleft() for _ in range(min(left, AT_ONCE))]
                try:
                    self._archive.add_answers(batch)
                except BaseException:
                    self._waiting.extendleft(reversed(batch))
                    raise
                left -= len(batch)

    def close(self) -> None:
        """Writes the rest and stops."""
        self._closed.set()
        self._thread.join()
        self._flush_or_wait()

    def _run(self) -> None:
        while not self._closed.wait(self._seconds):
            self._flush_or_wait()

    def _flush_or_wait(self) -> None:
        try:
            self.flush()
            self._troubled = False
        except Exception as error:  # whatever it is, the rows are kept and tried again
            if not self._troubled:
                log.warning("%d answers wait for the database: %s", len(self._waiting), error)
            self._troubled = True
