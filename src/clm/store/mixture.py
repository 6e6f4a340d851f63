"""What an update trains on, and what it is measured on; both from pinned tables, both the same every time."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from clm.core.content import completion, prompt_hash
from clm.core.files import write_bytes
from clm.core.hashing import sha256_json
from clm.errors import ClmError, InvalidInput
from clm.records import Json, Mixture, Shape
from clm.store import delta, memory

Row = dict[str, Any]
Unfit = Callable[[Shape, Json], str | None]  # why the row can't be used; None: it can
_LABELS = ["record_id", "content_hash", "prompt_hash", "batch_id"]  # what rows are chosen by
_COLUMNS = [*_LABELS, "task", "shape", "content"]
_SCHEMA = pa.schema([(name, pa.string()) for name in ("record_id", "task", "shape", "content", "origin")])
_SUITE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("example_id", "task", "shape", "content", "prompt_hash", "content_hash")]
    + [("slice", pa.int32()), ("kind", pa.string()), ("old_answers", pa.string())]  # a JSON list
)
FEW_ANSWERS = 20  # as many different answers are counted in an update's record


@dataclass(frozen=True)
class Recall:
    """What of the past may come into a mixture, and what must not.

    `memories` holds per task the record ids that may be replayed; without an entry the updated task's old rows all
    may, another task's may not. `replay_tasks` are other tasks whose rows are replayed too, because they share the
    adapter: the replayed rows are split over the updated task and them by `shares` (a weight each, 1 where not named).
    """

    policy: str = "random"
    memories: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    replay_tasks: Sequence[str] = ()
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    held: Collection[str] = ()  # batches whose rows are left out
    unseen: Collection[str] = ()  # record ids in `old` that the task's last training left out: they are new
    dropped: Collection[str] = ()  # record ids that a person took out
    unfit: Unfit = lambda _shape, _content: None  # asked of each row before it is taken


def build_mixture(
    records: DeltaTable,
    suites: DeltaTable,
    old: DeltaTable | None,
    task: str,
    *,
    replay_share: float,
    seed: int,
    out: Path,
    recall: Recall | None = None,
) -> Mixture:
    """Chooses the task's rows that are not in `old`, plus a seeded sample of those that are (replay).

    `old` is `records` as the task's last release saw it; None trains on everything. The sample holds `replay_share`
    rows per new row, as far as there are any. Rows whose prompt stands in any suite of the model are left out, and so
    is what is no longer in `records`, whatever a memory says.
    Columns of the Parquet file `out`: record_id, task, shape, content (JSON), origin ("new" | "replay").
    Raises InvalidInput where there is nothing sensible to train on.
    """
    recall = recall or Recall()
    held_out_prompts = delta.values(suites, "prompt_hash")
    if not delta.read(suites, ["record_id"], delta.of_task(task)).num_rows:
        raise InvalidInput(
            f"Task {task!r} has no suite, so nothing could show what an update does to it. Hold rows out before the "
            f"first update (the task's holdout share), or bring them: clm ingest FILE --task {task} --suite."
        )
    rows = _in_order(delta.read(records, _LABELS, delta.of_task(task)))
    usable = [row for row in rows if row["prompt_hash"] not in held_out_prompts]
    dropped = {row["record_id"] for row in usable if row["record_id"] in recall.dropped}
    free = [row for row in usable if row["batch_id"] not in recall.held and row["record_id"] not in dropped]
    known: set[str] = set() if old is None else delta.values(old, "record_id", delta.of_task(task))
    seen = known.difference(recall.unseen)
    fresh = [row["record_id"] for row in free if row["record_id"] not in seen]
    if not fresh:
        held = len(usable) - len(free) - len(dropped)
        raise InvalidInput(_nothing_new(task, len(rows), len(usable), held, len(dropped)))
    may = recall.memories.get(task)
    old_ids = [row["record_id"] for row in free if row["record_id"] in seen]
    pools = {task: _rows(records, task, old_ids if may is None else [one for one in old_ids if one in may])}
    unfit: dict[str, str] = {}
    new = _fit([row | {"origin": "new"} for row in _rows(records, task, fresh)], recall, unfit)
    if not new:
        raise InvalidInput(_all_unfit(task, unfit))
    for other in recall.replay_tasks:
        ids = set(recall.memories.get(other, ())).difference(recall.dropped)
        pools[other] = remembered(records, other, ids, held_out_prompts, recall.held)
    replay = _fit(_replay(pools, replay_share * len(new), recall, _lot(seed, new)), recall, unfit)
    chosen = new + sorted(replay, key=lambda row: (row["task"], row["record_id"]))
    _check_varied(task, chosen)
    _write(out, chosen, _SCHEMA)
    _check_held_out(out, suites)
    return Mixture(
        task=task,
        path=str(out),
        new_rows=len(new),
        replay_rows=len(replay),
        held_out=len(rows) - len(usable),
        content_hash=sha256_json([[row["record_id"], row["origin"]] for row in chosen]),
        record_ids=tuple(row["record_id"] for row in chosen),
        batches=dict(sorted(Counter(row["batch_id"] for row in new).items())),
        replayed=dict(sorted(Counter(row["task"] for row in replay).items())),
        answers=_balance(chosen),
        memory_policy=recall.policy,
        memory_rows=None if may is None else len(pools[task]),
        left_out=tuple(
            row["record_id"]
            for row in usable
            if row["batch_id"] in recall.held or row["record_id"] in dropped or row["record_id"] in unfit
        ),
        dropped=tuple(sorted(dropped)),
        unfit=dict(sorted(unfit.items())),
    )


def _fit(rows: list[Row], recall: Recall, unfit: dict[str, str]) -> list[Row]:
    """The rows that can be trained on; why the others can't is added to `unfit`."""
    for row in rows:
        reason = recall.unfit(row["shape"], json.loads(row["content"]))
        if reason is not None:
            unfit[row["record_id"]] = reason
    return [row for row in rows if row["record_id"] not in unfit]


def remembered(
    records: DeltaTable, task: str, record_ids: Collection[str], held_out_prompts: set[str], held: Collection[str]
) -> list[Row]:
    """A task's rows with these ids that still are in the table, are not held, and stand in no suite."""
    rows = _rows(records, task, record_ids)
    return [row for row in rows if row["prompt_hash"] not in held_out_prompts and row["batch_id"] not in held]


def _rows(records: DeltaTable, task: str, record_ids: Collection[str]) -> list[Row]:
    """Only these are made Python objects of: a table may hold a thousand times as many."""
    return _in_order(delta.read_ids(records, _COLUMNS, record_ids, delta.of_task(task)))


def answer_of(row: Row) -> str:
    return completion(row["shape"], json.loads(row["content"]))


def as_rows(rows: Sequence[Row], **scores: Any) -> memory.Rows:
    """The rows as a memory policy looks at them."""
    sizes = [len(row["content"].encode()) for row in rows]
    return memory.Rows([row["record_id"] for row in rows], [answer_of(row) for row in rows], sizes, **scores)


def _replay(pools: Mapping[str, list[Row]], count: float, recall: Recall, lot: str) -> list[Row]:
    weights = {task: recall.shares.get(task, 1.0) for task in pools}
    counts = memory.split(count, weights, {task: len(pool) for task, pool in pools.items()})
    return [
        pool[index] | {"origin": "replay"}
        for task, pool in pools.items()
        for index in memory.draw(recall.policy, as_rows(pool), counts[task], lot)
    ]


def _lot(seed: int, new: list[Row]) -> str:
    """Another one for every update, so that in time all of a memory is replayed."""
    return sha256_json([seed, [row["record_id"] for row in new]])


def _balance(rows: list[Row]) -> dict[str, list[int]]:
    """Per answer how many rows are new and how many replayed; nothing where there are too many answers to read."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        counts.setdefault(answer_of(row), [0, 0])[row["origin"] == "replay"] += 1
        if len(counts) > FEW_ANSWERS:
            return {}
    return {answer: counts[answer] for answer in sorted(counts) if len(answer) <= 200}


def write_suites(suites: DeltaTable, out: Path, tasks: list[str] | None, keep: Callable[[Row], bool]) -> Path:
    """Writes the columns of clm.evaluation.suites: by task, then by example."""
    rows = _in_order(delta.read(suites, [*_COLUMNS, "slice", "kind"]))
    kept = [
        row | {"example_id": row["record_id"], "slice": row["slice"] or 1, "kind": row["kind"] or "held_out",
               "old_answers": "[]"}
        for row in rows if (tasks is None or row["task"] in tasks) and keep(row)
    ]  # fmt: skip
    _write(out, sorted(kept, key=lambda row: row["task"]), _SUITE_SCHEMA)
    return out


def _in_order(table: pa.Table) -> list[Row]:
    """By content hash: an order that doesn't depend on how the rows lie in files."""
    return sorted(table.to_pylist(), key=lambda row: row["content_hash"])


def _all_unfit(task: str, unfit: dict[str, str]) -> str:
    record, reason = next(iter(sorted(unfit.items())))
    return (
        f"None of the {len(unfit)} new rows of task {task!r} can be trained on, so nothing is left to learn. "
        f"The first: {record}: {reason}"
    )


def _nothing_new(task: str, rows: int, usable: int, held: int, dropped: int) -> str:
    if not rows:
        return f"Task {task!r} has no training rows. Bring some: clm ingest FILE --task {task}."
    if not usable:
        return f"All {rows} training rows of task {task!r} stand in a suite too. Bring rows that are not held out."
    if held:
        return (
            f"All {held} new rows of task {task!r} are held: the gate rejected what was learnt from them. "
            "`clm data held list` shows them; release them to try again, or bring other rows."
        )
    if dropped and dropped == usable:
        return f"All {dropped} rows of task {task!r} were dropped. Bring others, or take it back: clm data drop --undo."
    return f"Task {task!r} has no new rows since its last release: there is nothing to learn. Bring some first."


def _check_varied(task: str, rows: list[Row]) -> None:
    answers = {answer_of(row) for row in rows}
    if len(rows) > 1 and len(answers) == 1:
        raise InvalidInput(
            f"All {len(rows)} rows of task {task!r} have the same answer ({next(iter(answers))[:60]!r}): a model would "
            "learn to say it always. Bring rows with other answers, or replay older ones (replay_share)."
        )


def _write(out: Path, rows: list[Row], schema: pa.Schema) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    write_bytes(out, sink.getvalue().to_pybytes())


def _check_held_out(mixture: Path, suites: DeltaTable) -> None:
    """The last look before training: hashes both sides again, from the content as it was written."""
    leaked = _prompts(pq.read_table(mixture)) & _prompts(delta.read(suites, ["shape", "content"]))
    if leaked:
        mixture.unlink()
        raise ClmError(
            f"{len(leaked)} held-out prompts reached the training mixture; it was dropped and nothing was trained. "
            "The stored prompt hashes don't match the content: check the data folder against a backup."
        )


def _prompts(table: pa.Table) -> set[str]:
    rows: list[Json] = table.select(["shape", "content"]).to_pylist()
    return {prompt_hash(row["shape"], json.loads(row["content"])) for row in rows}
