"""What an update trains on, and what it is measured on; both from pinned tables, both the same every time."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from clm.core.content import completion, prompt_hash
from clm.core.files import write_bytes
from clm.core.hashing import sha256_json
from clm.errors import ClmError, InvalidInput
from clm.records import Json, Mixture
from clm.store import delta

_COLUMNS = ["record_id", "task", "shape", "content", "content_hash", "prompt_hash"]
_SCHEMA = pa.schema([(name, pa.string()) for name in ("record_id", "task", "shape", "content", "origin")])
_SUITE_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("example_id", "task", "shape", "content", "prompt_hash", "content_hash")]
)


def build_mixture(
    records: DeltaTable,
    suites: DeltaTable,
    old: DeltaTable | None,
    task: str,
    *,
    replay_share: float,
    seed: int,
    out: Path,
) -> Mixture:
    """Chooses the task's rows that are not in `old`, plus a seeded sample of those that are (replay).

    `old` is `records` as the task's last release saw it; None trains on everything. The sample holds `replay_share`
    rows per new row, as far as there are any. Rows whose prompt stands in any suite of the model are left out.
    Columns of the Parquet file `out`: record_id, task, shape, content (JSON), origin ("new" | "replay").
    Raises InvalidInput where there is nothing sensible to train on.
    """
    held_out_prompts = delta.values(suites, "prompt_hash")
    if not delta.read(suites, ["record_id"], delta.of_task(task)).num_rows:
        raise InvalidInput(
            f"Task {task!r} has no suite, so nothing could show what an update does to it. Hold rows out before the "
            f"first update (the task's holdout share), or bring them: clm ingest FILE --task {task} --suite."
        )
    rows = _in_order(delta.read(records, _COLUMNS, delta.of_task(task)))
    usable = [row for row in rows if row["prompt_hash"] not in held_out_prompts]
    seen: set[str] = set() if old is None else delta.values(old, "record_id", delta.of_task(task))
    new = [row | {"origin": "new"} for row in usable if row["record_id"] not in seen]
    if not new:
        raise InvalidInput(_nothing_new(task, len(rows), len(usable)))
    older = [row | {"origin": "replay"} for row in usable if row["record_id"] in seen]
    replay = random.Random(seed).sample(older, min(len(older), round(replay_share * len(new))))
    chosen = new + sorted(replay, key=lambda row: row["record_id"])
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
    )


def write_suites(suites: DeltaTable, out: Path, tasks: list[str] | None) -> Path:
    """Writes example_id, task, shape, content (JSON), prompt_hash, content_hash; by task, then by example."""
    rows = _in_order(delta.read(suites, _COLUMNS))
    kept = [row | {"example_id": row["record_id"]} for row in rows if tasks is None or row["task"] in tasks]
    _write(out, sorted(kept, key=lambda row: row["task"]), _SUITE_SCHEMA)
    return out


def _in_order(table: pa.Table) -> list[dict[str, Any]]:
    """By content hash: an order that doesn't depend on how the rows lie in files."""
    return sorted(table.to_pylist(), key=lambda row: row["content_hash"])


def _nothing_new(task: str, rows: int, usable: int) -> str:
    if not rows:
        return f"Task {task!r} has no training rows. Bring some: clm ingest FILE --task {task}."
    if not usable:
        return f"All {rows} training rows of task {task!r} stand in a suite too. Bring rows that are not held out."
    return f"Task {task!r} has no new rows since its last release: there is nothing to learn. Bring some first."


def _check_varied(task: str, rows: list[dict[str, Any]]) -> None:
    answers = {completion(row["shape"], json.loads(row["content"])) for row in rows}
    if len(rows) > 1 and len(answers) == 1:
        raise InvalidInput(
            f"All {len(rows)} rows of task {task!r} have the same answer ({next(iter(answers))[:60]!r}): a model would "
            "learn to say it always. Bring rows with other answers, or replay older ones (replay_share)."
        )


def _write(out: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
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
