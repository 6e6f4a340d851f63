"""Delta tables on disk: the schema, and reading and appending without a gap for a crash.

A model has two tables, `records` (training rows) and `suites` (held-out rows), partitioned by task, so that reading
one task costs nothing for the others. Old versions are kept for ten years: an update's snapshot must stay readable.
"""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
import logging
import os
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError

from clm.core.content import answer_key, prompt_key
from clm.core.failpoints import hit
from clm.core.files import sync_folder
from clm.core.hashing import canonical_json
from clm.core.recent import Recent
from clm.records import Record

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("task", pa.string()),
        ("shape", pa.string()),
        ("content", pa.string()),  # canonical JSON
        ("content_hash", pa.string()),
        ("prompt_hash", pa.string()),
        ("event_time", pa.timestamp("us", tz="UTC")),
        ("ingested_at", pa.timestamp("us", tz="UTC")),
        ("source", pa.string()),
        ("batch_id", pa.string()),
        ("author", pa.string()),
        ("quality", pa.string()),  # canonical JSON
        ("schema_version", pa.int32()),
        # Tables from before these have them filled in when they are read, see clm.store.labels.
        ("key", pa.string()),
        ("prompt_key", pa.string()),
        ("answer_key", pa.string()),
        ("slice", pa.int32()),
        ("kind", pa.string()),
        ("held", pa.bool_()),
    ]
)
_log = logging.getLogger(__name__)
COMPACT_EVERY = 50  # versions; every file costs a reader about 2 ms
_datasets: Recent[Any] = Recent(8)  # by version: to list its files takes longer the more there are
_KEEP = {"delta.logRetentionDuration": "interval 3650 days", "delta.deletedFileRetentionDuration": "interval 3650 days"}


def exists(path: Path) -> bool:
    return DeltaTable.is_deltatable(str(path))


def open_table(path: Path, version: int | None = None) -> DeltaTable:
    """The table, at its newest version or at `version`; made (empty, version 0) where there is none yet."""
    if version is None and not exists(path):
        path.mkdir(parents=True, exist_ok=True)
        schema: Any = SCHEMA
        DeltaTable.create(path, schema, mode="ignore", partition_by=["task"], configuration=_KEEP)
    return DeltaTable(path, version=version)


def read(table: DeltaTable, columns: list[str], where: ds.Expression | None = None) -> pa.Table:
    """These columns; one that the table is too old to have is full of nulls."""
    dataset = _datasets.get(named(table), table.to_pyarrow_dataset)
    rows = dataset.to_table(columns=[name for name in columns if name in dataset.schema.names], filter=where)
    for name in columns:
        if name not in rows.column_names:
            rows = rows.append_column(SCHEMA.field(name), pa.nulls(rows.num_rows, SCHEMA.field(name).type))
    return rows.select(columns)


def named(table: DeltaTable) -> Hashable:
    """A name for this version of this table: the same one is the same rows, for good."""
    return table.table_uri, str(table.metadata().id), table.version()


def read_ids(
    table: DeltaTable, columns: list[str], record_ids: Collection[str], where: ds.Expression | None = None
) -> pa.Table:
    """The rows with these ids. Chosen after reading: a filter on a text fails on files that a deletion wrote anew,
    because their statistics have another type of text."""
    rows = read(table, columns, where)
    wanted = pa.array(list(record_ids), pa.string())
    known = rows["record_id"].cast(pa.string())
    return rows.filter(pc.call_function("is_in", [known], pc.SetLookupOptions(wanted)))


def values(table: DeltaTable, column: str, where: ds.Expression | None = None) -> set[str]:
    return set(read(table, [column], where)[column].to_pylist())


def ids_of(table: DeltaTable, batch_id: str) -> list[str]:
    """Record ids of a batch's rows; chosen after reading, as in `read_ids`."""
    rows = read(table, ["record_id", "batch_id"])
    return rows.filter(pc.call_function("equal", [rows["batch_id"], pa.scalar(batch_id)]))["record_id"].to_pylist()


def of_task(task: str) -> ds.Expression:
    return ds.field("task") == task


def rows_per_task(table: DeltaTable) -> dict[str, int]:
    """Counts from the table's log alone; no row is read."""
    actions = pa.table(table.get_add_actions(flatten=True))
    counts: dict[str, int] = {}
    if actions.num_rows:
        tasks, rows = actions["partition.task"].to_pylist(), actions["num_records"].to_pylist()
        for task, n in zip(tasks, rows, strict=True):
            counts[task] = counts.get(task, 0) + n
    return dict(sorted(counts.items()))


def committed_version(table: DeltaTable, batch_id: str) -> int | None:
    """The version that `append` made for this batch; None where it has made none."""
    return table.transaction_version(batch_id)


def append(path: Path, batches: Iterator[pa.RecordBatch], batch_id: str) -> int:
    """Adds one version holding all rows, or nothing; returns it. The caller holds the model's lock.

    The batch's id goes into the commit as a Delta application transaction, whose number is the version that it makes.
    """
    table = open_table(path)
    version = table.version() + 1
    hit("store.before-commit")
    write_deltalake(
        table,
        pa.RecordBatchReader.from_batches(SCHEMA, batches),
        mode="append",
        schema_mode="merge",
        commit_properties=CommitProperties(
            custom_metadata={"clm.batch": batch_id}, app_transactions=[Transaction(batch_id, version)]
        ),
    )
    _make_durable(path, version)
    hit("store.after-commit")
    if version % COMPACT_EVERY == 0:
        _compact(path)
    return version


def to_batch(records: list[Record]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([_row(record) for record in records], schema=SCHEMA)


def _row(record: Record) -> dict[str, object]:
    row = dict(record.__dict__)
    row["content"] = canonical_json(record.content)
    row["quality"] = canonical_json(record.quality)
    row["prompt_key"] = prompt_key(record.shape, record.content)
    row["answer_key"] = answer_key(record.shape, record.content)
    row["key"] = record.key or row["prompt_key"]
    return row


def _compact(path: Path) -> None:
    """Joins the many small files of many small batches, as a version of its own; older versions keep their files."""
    try:
        table = open_table(path)
        table.optimize.compact()
        _make_durable(path, table.version())
    except DeltaError as error:  # the rows are in; only reading them stays slower
        _log.warning("%s could not be compacted: %s", path, error)


def _make_durable(table: Path, version: int) -> None:
    """delta-rs renames without fsync; an acknowledged batch must also survive a power cut."""
    log = table / "_delta_log" / f"{version:020}.json"
    for line in log.read_bytes().splitlines():  # bytes: texts in it may hold what str.splitlines takes for a line end
        added = json.loads(line).get("add")
        if added:
            file = table / unquote(added["path"])
            _sync_file(file)
            sync_folder(file.parent)
    _sync_file(log)
    sync_folder(log.parent)
    sync_folder(table)


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
