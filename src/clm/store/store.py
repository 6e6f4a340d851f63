"""The store: every accepted batch is a version, a snapshot pins versions, held-out rows never enter a mixture.

A library of its own, without server or database:

    store = Store(Path("data"))
    store.append("support-assistant", records, suite=False, batch_id="bat_1")
    store.build_mixture(store.snapshot("support-assistant"), "intent", since=None, replay_share=0.5, seed=17, out=…)
"""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from clm.core.hashing import sha256_json
from clm.core.locks import file_lock
from clm.errors import InvalidInput, NotFound
from clm.policies import MemoryPolicy
from clm.records import Appended, Fate, Json, Memory, Mixture, Record, Snapshot
from clm.store import delta
from clm.store.memory_file import load_memory, make_memory
from clm.store.mixture import Recall, answer_of, build_mixture, remembered, write_suites

_ROWS_AT_A_TIME = 1000


@dataclass(frozen=True)
class DatasetVersion:
    """One version of one table, as `clm data versions` lists it."""

    table: str  # "records" | "suites"
    version: int
    at: datetime
    rows: int  # added by this version
    operation: str  # Delta's word: CREATE TABLE, WRITE, …
    batch_id: str | None


class Store:
    """Delta tables `data/<model>/records` and `data/<model>/suites`. Safe between threads and processes."""

    def __init__(self, data: Path) -> None:
        if "%" in str(data):
            raise InvalidInput(f"Delta Lake can't keep tables under a path with a percent sign: {data}. Use another.")
        self._data = data

    def append(
        self, model: str, records: Iterable[Record], *, suite: bool, batch_id: str, sealed: bool = False
    ) -> Appended:
        """Adds the records that are new, as one version, and says of each what became of it.

        The same content for the same task is a duplicate. A training row whose prompt stands in a suite of the model
        is barred; with `sealed` (experts may have been trained already) so is a suite row whose prompt stands in the
        training rows. A second call with the same `batch_id` adds nothing and gives the same answer, also after a
        crash between commit and answer. Records are taken one by one: any number fits in memory.
        """
        with file_lock(self._data / model / ".lock"):
            own, other = self._open(model, suite), self._open(model, not suite)
            done = delta.committed_version(own, batch_id)
            if done is not None:
                return Appended(list(self._fates_of(model, records, suite, done)), done)
            barred: set[str] = delta.values(other, "prompt_hash") if sealed or not suite else set()
            fates: list[Fate] = []
            batches = _batches(_sort_out(own, records, barred, fates))
            first = next(batches, None)
            if first is None:
                return Appended(fates, None)
            return Appended(fates, delta.append(self._path(model, suite), chain([first], batches), batch_id))

    def snapshot(self, model: str, *, dropped: Iterable[str] = (), dropped_examples: Iterable[str] = ()) -> Snapshot:
        """Pins the newest versions, and what was dropped. Records first: a split batch writes its suite rows first, so
        none is missed."""
        if not all(delta.exists(self._path(model, suite)) for suite in (False, True)):
            with file_lock(self._data / model / ".lock"):
                for suite in (False, True):
                    self._open(model, suite)
        records, suites = self._open(model, False), self._open(model, True)
        out = frozenset(dropped_examples)
        hashes: dict[str, list[str]] = {}
        slices: dict[str, Counter[str]] = {}
        for row in delta.read(suites, ["record_id", "task", "content_hash", "slice"]).to_pylist():
            if row["record_id"] not in out:
                hashes.setdefault(row["task"], []).append(row["content_hash"])
                slices.setdefault(row["task"], Counter())[str(row["slice"] or 1)] += 1
        return Snapshot(
            model=model,
            tables={"records": records.version(), "suites": suites.version()},
            counts=delta.rows_per_task(records),
            suites={task: len(found) for task, found in sorted(hashes.items())},
            suite_hashes={task: sha256_json(sorted(found)) for task, found in sorted(hashes.items())},
            dropped=tuple(sorted(dropped)),
            dropped_examples=tuple(sorted(out)),
            slices={task: dict(sorted(found.items())) for task, found in sorted(slices.items())},
        )

    def build_mixture(
        self,
        snapshot: Snapshot,
        task: str,
        *,
        since: int | None,
        replay_share: float,
        seed: int,
        out: Path,
        recall: Recall | None = None,
    ) -> Mixture:
        """Writes what an update of `task` trains on to the Parquet file `out`; see clm.store.mixture."""
        records, suites = self._pinned(snapshot)
        old = None if since is None else delta.open_table(self._path(snapshot.model, False), since)
        recall = replace(recall or Recall(), dropped=frozenset(snapshot.dropped))
        return build_mixture(records, suites, old, task, replay_share=replay_share, seed=seed, out=out, recall=recall)

    def make_memory(
        self,
        snapshot: Snapshot,
        mixture: Mixture,
        policy: MemoryPolicy,
        *,
        before: str | None,
        budget: float,
        seed: int,
        folder: Path,
        described: Path | None = None,
    ) -> Memory:
        """Chooses what of the task is kept to be replayed after an update; see clm.store.memory_file.

        `before` names the task's memory so far, in `folder` too; None: all its rows are looked at.
        """
        kept = load_memory(folder, before) if before else None
        return make_memory(
            *self._pinned(snapshot), mixture, policy=policy, before=kept, described=described, budget=budget,
            seed=seed, folder=folder,
        )  # fmt: skip

    def remembered(self, model: str, task: str, record_ids: Collection[str]) -> list[Json]:
        """The rows with these ids that could be replayed now: not erased, in no suite. Content as an object."""
        records, suites = self._open(model, False), self._open(model, True)
        rows = remembered(records, task, record_ids, delta.values(suites, "prompt_hash"), held=())
        return [
            row
            | {"content": json.loads(row["content"]), "answer": answer_of(row), "bytes": len(row["content"].encode())}
            for row in rows
        ]

    def write_suites(
        self,
        snapshot: Snapshot,
        out: Path,
        *,
        tasks: list[str] | None = None,
        keep: Callable[[Json], bool] = lambda _: True,
    ) -> Path:
        """Writes the held-out rows (of all tasks, or of `tasks`) to the Parquet file `out`; see clm.store.mixture.

        `keep` is asked of every row that was not dropped.
        """
        dropped = frozenset(snapshot.dropped_examples)
        return write_suites(
            self._pinned(snapshot)[1], out, tasks, lambda row: row["record_id"] not in dropped and keep(row)
        )

    def rows(
        self, model: str, record_ids: Iterable[str], version: int | None = None, *, suite: bool = False
    ) -> list[Json]:
        """Training (or held-out) rows by id, at a version, with content as an object. Unknown ids are left out.

        Raises NotFound for a model without rows or a version that there is not.
        """
        table = self._existing(model, version, suite)
        found = delta.read_ids(table, delta.SCHEMA.names, set(record_ids))
        rows = [
            row | {"content": json.loads(row["content"]), "quality": json.loads(row["quality"])}
            for row in found.to_pylist()
        ]
        return sorted(rows, key=lambda row: (row["record_id"], row["task"]))

    def counts(self, model: str, *, suite: bool = False) -> dict[str, int]:
        """Rows per task now; read from the log, so cheap enough for every page."""
        path = self._path(model, suite)
        return delta.rows_per_task(delta.open_table(path)) if delta.exists(path) else {}

    def count(self, model: str, task: str, since: int | None = None) -> int:
        """Training rows of a task, or those added after version `since` of `records`."""
        if not delta.exists(self._path(model, False)):
            return 0
        before = delta.rows_per_task(self._existing(model, since)).get(task, 0) if since is not None else 0
        return self.counts(model).get(task, 0) - before

    def versions(self, model: str) -> list[DatasetVersion]:
        """Every version of both tables, newest first."""
        found: list[DatasetVersion] = []
        for suite in (False, True):
            path = self._path(model, suite)
            for entry in delta.open_table(path).history() if delta.exists(path) else []:
                found.append(
                    DatasetVersion(
                        table=path.name,
                        version=entry["version"],
                        at=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
                        rows=entry.get("operationMetrics", {}).get("num_added_rows", 0),
                        operation=entry["operation"],
                        batch_id=entry.get("clm.batch"),
                    )
                )
        return sorted(found, key=lambda v: (v.at, v.table, v.version), reverse=True)

    def _path(self, model: str, suite: bool) -> Path:
        return self._data / model / ("suites" if suite else "records")

    def _open(self, model: str, suite: bool) -> DeltaTable:
        return delta.open_table(self._path(model, suite))

    def _existing(self, model: str, version: int | None, suite: bool = False) -> DeltaTable:
        path = self._path(model, suite)
        newest = delta.open_table(path).version() if delta.exists(path) else None
        if newest is None:
            raise NotFound(f"Model {model!r} has no rows yet; `clm ingest FILE --model {model} --task …` brings some.")
        if version is not None and not 0 <= version <= newest:
            raise NotFound(f"Model {model!r} has no dataset version {version}; there are 0 to {newest}.")
        return delta.open_table(path, version)

    def _pinned(self, snapshot: Snapshot) -> tuple[DeltaTable, DeltaTable]:
        records = delta.open_table(self._path(snapshot.model, False), snapshot.tables["records"])
        suites = delta.open_table(self._path(snapshot.model, True), snapshot.tables["suites"])
        return records, suites

    def _fates_of(self, model: str, records: Iterable[Record], suite: bool, version: int) -> Iterator[Fate]:
        """What became of records that an earlier call committed as `version`, read from the table."""
        path = self._path(model, suite)
        before, after = _Known(delta.open_table(path, version - 1)), _Known(delta.open_table(path, version))
        for record in records:
            key = (record.task, record.content_hash)
            if key in before:
                yield "duplicate"
            elif key in after:
                before.add(key)  # the first one was written, each later one is a duplicate
                yield "accepted"
            else:
                yield "barred"


class _Known:
    """The (task, content hash) pairs of a table; a task's are read when it is first asked for."""

    def __init__(self, table: DeltaTable) -> None:
        self._table = table
        self._hashes: dict[str, set[str]] = {}

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key[1] in self._of(key[0])

    def add(self, key: tuple[str, str]) -> None:
        self._of(key[0]).add(key[1])

    def _of(self, task: str) -> set[str]:
        if task not in self._hashes:
            self._hashes[task] = delta.values(self._table, "content_hash", delta.of_task(task))
        return self._hashes[task]


def _sort_out(table: DeltaTable, records: Iterable[Record], barred: set[str], fates: list[Fate]) -> Iterator[Record]:
    """Yields the records to write, and notes every record's fate."""
    known = _Known(table)
    for record in records:
        key = (record.task, record.content_hash)
        if key in known:
            fates.append("duplicate")
        elif record.prompt_hash in barred:
            fates.append("barred")
        else:
            known.add(key)
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
