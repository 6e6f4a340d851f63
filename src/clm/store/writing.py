"""Adding a batch's records to a table: once, however often it is asked, and nothing twice."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from clm.core.content import answer_key, prompt_key
from clm.records import Appended, Fate, Record
from clm.store import delta
from clm.store.view import View

_ROWS_AT_A_TIME = 1000


def append(path: Path, records: Iterable[Record], batch_id: str, barred: "Barred") -> Appended:
    """The caller holds the model's lock. A batch that was committed before changes nothing."""
    table = delta.open_table(path)
    done = delta.committed_version(table, batch_id)
    if done is not None:
        return Appended(list(_fates_of(path, records, done)), done)
    fates: list[Fate] = []
    batches = _batches(_sort_out(table, records, barred, fates))
    first = next(batches, None)
    if first is None:
        return Appended(fates, None)
    return Appended(fates, delta.append(path, chain([first], batches), batch_id))


class Barred:
    """Prompts that can't be added to a table because they stand on the other side of the held-out line.

    `taught` are prompt keys that a suite can't take; `exam` has the suites, whose prompts can't be taught.
    """

    def __init__(self, taught: Iterable[str] = (), exam: View | None = None) -> None:
        self._taught = frozenset(taught)
        self._exam = exam
        self._rows = {task: [row for row in rows if row["kind"] != "recall"]
                      for task, rows in exam.examined.items()} if exam else {}  # fmt: skip
        self._asked = frozenset(row["prompt_key"] for rows in self._rows.values() for row in rows)

    def bars(self, record: Record) -> bool:
        """A newer row with another answer takes its prompt out of its own task's suite, so that one is let in."""
        prompt = prompt_key(record.shape, record.content)
        if self._exam is None:
            return prompt in self._taught and record.kind != "recall"
        if prompt not in self._asked:
            return False
        answer, superseded = answer_key(record.shape, record.content), self._exam.standing(record.task).superseded
        return any(
            task != record.task
            or (row["record_id"] not in superseded
                and (row["answer_key"] == answer or row["event_time"] >= record.event_time))
            for task, rows in self._rows.items() for row in rows if row["prompt_key"] == prompt
        )  # fmt: skip


def _fates_of(path: Path, records: Iterable[Record], version: int) -> Iterator[Fate]:
    """What became of records that an earlier call committed as `version`, read from the table."""
    before, after = _Known(delta.open_table(path, version - 1)), _Known(delta.open_table(path, version))
    for record in records:
        if record in before:
            yield "duplicate"
        elif record in after:
            before.add(record)  # the first one was written, each later one is a duplicate
            yield "accepted"
        else:
            yield "barred"


class _Known:
    """The records of a table by task and id; a task's are read when it is first asked for."""

    def __init__(self, table: DeltaTable) -> None:
        self._table = table
        self._ids: dict[str, set[str]] = {}

    def __contains__(self, record: Record) -> bool:
        return record.record_id in self._of(record.task)

    def add(self, record: Record) -> None:
        self._of(record.task).add(record.record_id)

    def _of(self, task: str) -> set[str]:
        if task not in self._ids:
            self._ids[task] = delta.values(self._table, "record_id", delta.of_task(task))
        return self._ids[task]


def _sort_out(table: DeltaTable, records: Iterable[Record], barred: Barred, fates: list[Fate]) -> Iterator[Record]:
    """Yields the records to write, and notes every record's fate."""
    known = _Known(table)
    for record in records:
        if record in known:
            fates.append("duplicate")
        elif barred.bars(record):
            fates.append("barred")
        else:
            known.add(record)
            fates.append("accepted")
            yield record


def _batches(records: Iterator[Record]) -> Iterator[pa.RecordBatch]:
    waiting: list[Record] = []
    for record in records:
        waiting.append(record)
        if len(waiting) == _ROWS_AT_A_TIME:
            yield delta.to_batch(waiting)
            waiting = []
    if waiting:
        yield delta.to_batch(waiting)
