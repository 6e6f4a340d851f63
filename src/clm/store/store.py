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
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from clm.core.content import prompt_key
from clm.core.hashing import sha256_json
from clm.core.locks import file_lock
from clm.core.recent import Recent
from clm.errors import InvalidInput, NotFound
from clm.facts import Known, Ruling, Stored
from clm.policies import MemoryPolicy
from clm.records import Appended, Json, Memory, Mixture, Record, Snapshot
from clm.store import chain, delta, exam, renewal, view, writing
from clm.store.exam import Bounds, Recalled
from clm.store.memory_file import load_memory, make_memory
from clm.store.mixture import Recall, answer_of, build_mixture, remembered
from clm.store.view import View

_views: Recent[View] = Recent(1)  # it holds labels of all rows


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
            self._open(model, suite)
            other = View(self._open(model, False), self._open(model, True))
            if suite:
                taught = view.labels(other.records)["prompt_key"].to_pylist() if sealed else ()
                barred = writing.Barred(taught)
            else:
                barred = writing.Barred(exam=other)
            return writing.append(self._path(model, suite), records, batch_id, barred)

    def snapshot(
        self,
        model: str,
        *,
        dropped: Iterable[str] = (),
        dropped_examples: Iterable[str] = (),
        rulings: Iterable[Ruling] = (),
        bounds: Bounds = None,
    ) -> Snapshot:
        """Pins the newest versions, what was dropped and what was ruled. Records first: a split batch writes its suite
        rows first, so none is missed."""
        records, suites = self._both(model)
        pinned = Snapshot(
            model=model,
            tables={"records": records.version(), "suites": suites.version()},
            counts=delta.rows_per_task(records),
            suites={},
            suite_hashes={},
            dropped=tuple(sorted(dropped)),
            dropped_examples=tuple(sorted(dropped_examples)),
            rulings=tuple(rulings),
            bounds=bounds,
        )
        seen = self._view(pinned)
        exams = {task: examples for task in sorted(seen.examined) if (examples := exam.examples(seen, task, bounds))}
        return replace(
            pinned,
            suites={task: len(rows) for task, rows in exams.items()},
            suite_hashes={
                task: sha256_json(sorted(row["content_hash"] for row in exam.counted(rows)))
                for task, rows in exams.items()
            },
            slices={
                task: {str(n): rows for n, rows in sorted(Counter(row["slice"] for row in examples).items())}
                for task, examples in exams.items()
            },
            renewed={task: renewals for task, rows in exams.items() if (renewals := renewal.told(rows))},
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
        old = None if since is None else delta.open_table(self._path(snapshot.model, False), since)
        pinned = self._view(snapshot)
        return build_mixture(pinned, old, task, replay_share=replay_share, seed=seed, to=out, recall=recall)

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
            self._view(snapshot), mixture, policy=policy, before=kept, described=described, budget=budget,
            seed=seed, folder=folder,
        )  # fmt: skip

    def remembered(
        self, model: str, task: str, record_ids: Collection[str], rulings: Sequence[Ruling] = ()
    ) -> list[Json]:
        """The rows with these ids that could be replayed now: they hold, are not erased, in no suite."""
        rows = remembered(View(*self._both(model), rulings=rulings), task, record_ids, held=())
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
        tasks: Sequence[str] | None = None,
        recall: Sequence[Recalled] = (),
        keep: Callable[[Json], bool] = lambda _: True,
    ) -> Path:
        """Writes what examines all tasks, or `tasks`, to the Parquet file `out`; see clm.store.exam.

        `keep` is asked of every row that was not dropped.
        """
        pinned = self._view(snapshot)
        plans = [self._recall_of(snapshot, one) for one in recall]
        asked = sorted(snapshot.suites) if tasks is None else tasks
        return exam.write_suites(pinned, out, asked, snapshot.bounds, plans, keep)

    def known(
        self, model: str, task: str, prompts: Collection[str], keys: Collection[str], batch_id: str,
        rulings: Sequence[Ruling] = (),
    ) -> Known:  # fmt: skip
        """What is stored of these prompt keys and keys; a delivery is compared with it."""
        return chain.known(View(*self._both(model), rulings=rulings), task, prompts, keys, batch_id)

    def neighbours(self, model: str, task: str, answers: Collection[str]) -> Iterator[tuple[str, str, bool, str]]:
        """Prompt key, answer key, whether it is held out, and prompt of the rows that give one of these answers."""
        return chain.neighbours(View(*self._both(model)), task, answers)

    def history(self, model: str, reference: str, rulings: Sequence[Ruling] = ()) -> list[Stored]:
        """The versions of a key, a prompt or what a record is about, in every task, oldest first."""
        seen = View(*self._both(model), rulings=rulings)
        asked = {reference, prompt_key("completion", {"prompt": reference}), prompt_key("text", {"text": reference})}
        return chain.history(seen, sorted({*delta.rows_per_task(seen.records), *seen.examined}), asked)

    def rows(
        self, model: str, record_ids: Iterable[str], version: int | None = None, *, suite: bool = False
    ) -> list[Json]:
        """Training (or held-out) rows by id, at a version, with content as an object. Unknown ids are left out.

        Raises NotFound for a model without rows or a version that there is not.
        """
        table = self._existing(model, version, suite)
        stored = delta.read_ids(table, delta.SCHEMA.names, set(record_ids))
        rows = [
            row | {"content": json.loads(row["content"]), "quality": json.loads(row["quality"])}
            for row in stored.to_pylist()
        ]
        return sorted(rows, key=lambda row: (row["record_id"], row["task"]))

    def of_batch(self, model: str, batch_id: str, *, suite: bool = False) -> list[str]:
        """Ids of the training (or held-out) rows that a batch brought."""
        path = self._path(model, suite)
        return delta.ids_of(delta.open_table(path), batch_id) if delta.exists(path) else []

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

    def trainable(self, model: str, task: str, batches: Collection[str], **pins: Any) -> int:
        """How many training rows of these batches could be learned from now; `pins` as for `snapshot`."""
        return View(*self._both(model), **pins).trainable(task, batches)

    def versions(self, model: str) -> list[DatasetVersion]:
        """Every version of both tables, newest first."""
        versions: list[DatasetVersion] = []
        for suite in (False, True):
            path = self._path(model, suite)
            for entry in delta.open_table(path).history() if delta.exists(path) else []:
                versions.append(
                    DatasetVersion(
                        table=path.name,
                        version=entry["version"],
                        at=datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
                        rows=entry.get("operationMetrics", {}).get("num_added_rows", 0),
                        operation=entry["operation"],
                        batch_id=entry.get("clm.batch"),
                    )
                )
        return sorted(versions, key=lambda v: (v.at, v.table, v.version), reverse=True)

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

    def _both(self, model: str) -> tuple[DeltaTable, DeltaTable]:
        if not all(delta.exists(self._path(model, suite)) for suite in (False, True)):
            with file_lock(self._data / model / ".lock"):
                for suite in (False, True):
                    self._open(model, suite)
        return self._open(model, False), self._open(model, True)

    def _view(self, snapshot: Snapshot) -> View:
        """What is pinned never changes: the stages of an update share what one of them has found."""
        records = delta.open_table(self._path(snapshot.model, False), snapshot.tables["records"])
        suites = delta.open_table(self._path(snapshot.model, True), snapshot.tables["suites"])
        pins = (tuple(snapshot.rulings), frozenset(snapshot.dropped), frozenset(snapshot.dropped_examples))
        return _views.get(
            (delta.named(records), delta.named(suites), *pins),
            lambda: View(records, suites, rulings=pins[0], dropped=pins[1], dropped_examples=pins[2]),
        )

    def _recall_of(self, snapshot: Snapshot, asked: Recalled) -> exam.RecallOf:
        path = self._path(snapshot.model, False)
        since = None if asked.since is None else delta.open_table(path, asked.since)
        return exam.RecallOf(
            asked.task, asked.sample, since, asked.learns, asked.closed, asked.before,
            not_taught=asked.held, unseen=asked.unseen,
        )  # fmt: skip
