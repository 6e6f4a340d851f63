"""The request log loses nothing while the database can't be written, and feedback finds its answer."""

import threading
from dataclasses import replace

import pytest

from clm.core.clock import now
from clm.serving.gateway import request_log
from clm.serving.gateway.request_log import AnswerRecord, RequestLog

RECORD = AnswerRecord("ans_0", "support", "a" * 64, "intent", "c", 200, None, 12.5, 5, 3, False, now())


class Shelf:
    """An archive that can be locked."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.locked = False
        self.batches = 0
        self.written = threading.Event()

    def add_answers(self, records: list[AnswerRecord]) -> None:
        if self.locked:
            raise OSError("database is locked")
        self.kept += [record.id for record in records]
        self.batches += 1
        self.written.set()

    def add_feedback(self, record_id: str, score: float, comment: str | None) -> str:
        return record_id


def records(start: int, count: int) -> list[AnswerRecord]:
    return [replace(RECORD, id=f"ans_{n}") for n in range(start, start + count)]


def test_rows_are_written_in_batches_and_in_order() -> None:
    shelf = Shelf()
    log = RequestLog(shelf, seconds=0.05)
    for record in records(0, 100):
        log.add(record)
    assert shelf.written.wait(2)
    log.close()
    assert shelf.kept == [f"ans_{n}" for n in range(100)]
    assert shelf.batches < 10


def test_nothing_is_lost_while_the_database_is_locked() -> None:
    shelf = Shelf()
    shelf.locked = True
    log = RequestLog(shelf, seconds=0.01)
    for record in records(0, 50):
        log.add(record)
    with pytest.raises(OSError, match="locked"):
        log.flush()
    assert shelf.kept == []
    shelf.locked = False
    assert shelf.written.wait(2)
    for record in records(50, 50):
        log.add(record)
    log.flush()
    assert sorted(shelf.kept) == sorted(f"ans_{n}" for n in range(100))
    log.close()


def test_many_writers_and_flushes_keep_every_row_once() -> None:
    shelf = Shelf()
    log = RequestLog(shelf, seconds=0.001)

    def write(start: int) -> None:
        for record in records(start, 200):
            log.add(record)
            if record.id.endswith("7"):
                log.flush()

    threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len(shelf.kept) == len(set(shelf.kept)) == 800


def test_after_an_outage_others_may_write_between_the_batches() -> None:
    shelf = Shelf()
    log = RequestLog(shelf, seconds=60)
    for record in records(0, 2500):
        log.add(record)
    log.flush()
    assert shelf.batches == 3
    assert shelf.kept == [f"ans_{n}" for n in range(2500)]
    log.close()


def test_what_is_dropped_from_a_full_log_is_never_what_was_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come while the full log is being written."""
    monkeypatch.setattr(request_log, "MOST_WAITING", 10)
    shelf = Shelf()
    log = RequestLog(shelf, seconds=60)
    for record in records(0, 10):
        log.add(record)
    real = shelf.add_answers

    def slow(batch: list[AnswerRecord]) -> None:
        for record in records(10, 5) if not shelf.batches else []:
            log.add(record)
        real(batch)

    monkeypatch.setattr(shelf, "add_answers", slow)
    log.flush()
    log.close()
    assert shelf.kept == [f"ans_{n}" for n in range(15)]
