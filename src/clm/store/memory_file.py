"""A task's replay memory as a file: made after an update, named by its content, pinned by the release's lineage."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clm.core.files import write_bytes
from clm.core.hashing import sha256_file
from clm.errors import InvalidInput, TamperedArtifact
from clm.formats.mixture import read_mixture
from clm.policies import MemoryPolicy
from clm.records import Memory, Mixture
from clm.store import memory
from clm.store.mixture import as_rows, remembered
from clm.store.view import Row, View

MEGABYTE = 1_000_000
_SCHEMA = pa.schema([("record_id", pa.string()), ("loss", pa.float64()), ("features", pa.list_(pa.float32()))])
Scores = dict[str, Any]  # record id -> loss or features; what was never measured is missing


@dataclass(frozen=True)
class Kept:
    """What a memory file holds: record ids, the most wanted first, with what was measured of them."""

    record_ids: tuple[str, ...]
    losses: Scores
    features: Scores


def load_memory(folder: Path, name: str) -> Kept:
    """Raises TamperedArtifact where the file is missing or is not the one that was named."""
    file = _file(folder, name)
    if not file.is_file() or sha256_file(file) != name:
        state = "was changed" if file.is_file() else "is missing"
        raise TamperedArtifact(f"The replay memory {name[:12]} {state}; restore {file.name} from a backup.")
    return _read(file)


def make_memory(
    view: View,
    mixture: Mixture,
    *,
    policy: MemoryPolicy,
    before: Kept | None,
    described: Path | None,
    budget: float,
    seed: int,
    folder: Path,
) -> Memory:
    """Chooses among the memory so far and the update's new rows, and writes what is kept into `folder`.

    Without a memory so far all of the task's rows are looked at. `described` is what `clm.training.rows` wrote of the
    mixture's rows; older rows keep what was measured of them before. `budget` is the share of the policy's budget.
    """
    ids = set(view.taught(mixture.task)["record_id"].to_pylist() if before is None else before.record_ids)
    ids = ids.union(_new_of(mixture)).difference(mixture.left_out)
    rows = remembered(view, mixture.task, ids, held=())
    now = _read(described) if described else Kept((), {}, {})
    losses = (before.losses if before else {}) | now.losses
    features = _alike(before.features if before else {}, now.features) | now.features
    most, most_bytes = int(policy.rows * budget), int(policy.megabytes * MEGABYTE * budget)
    kept = _choose(policy.policy, rows, losses, features, most, most_bytes, seed)
    needs = memory.by_name(policy.policy).needs
    table = pa.table(
        {
            "record_id": [row["record_id"] for row in kept],
            "loss": [losses.get(row["record_id"]) if needs == "losses" else None for row in kept],
            "features": [features.get(row["record_id"]) if needs == "features" else None for row in kept],
        },
        schema=_SCHEMA,
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    content = sink.getvalue().to_pybytes()
    name = hashlib.sha256(content).hexdigest()
    write_bytes(_file(folder, name), content)
    used = sum(as_rows(kept).sizes)
    return Memory(name, policy.policy, len(kept), used, most_rows=most, most_bytes=most_bytes)


def _alike(before: Scores, now: Scores) -> Scores:
    """Features that can be compared with those measured now: others were read elsewhere in the base."""
    width = next((len(values) for values in now.values()), None)
    return {row: values for row, values in before.items() if width in (None, len(values))}


def _choose(
    policy: str, rows: list[Row], losses: Scores, features: Scores, most: int, most_bytes: int, seed: int
) -> list[Row]:
    """Rows that were never measured (an older release, another policy) come after those that were, by lot."""
    needs = memory.by_name(policy).needs
    measured: Mapping[str, Any] = {"losses": losses, "features": features}.get(needs or "", {})
    known = [row for row in rows if needs is None or row["record_id"] in measured]
    scores = {needs: _array([measured[row["record_id"]] for row in known])} if needs else {}
    kept = [known[i] for i in memory.choose(policy, as_rows(known, **scores), most=most, most_bytes=most_bytes,
                                            seed=seed)]  # fmt: skip
    rest = [row for row in rows if needs is not None and row["record_id"] not in measured]
    left = most_bytes - sum(as_rows(kept).sizes)
    more = memory.choose("random", as_rows(rest), most=most - len(kept), most_bytes=left, seed=seed)
    return kept + [rest[i] for i in more]


def _array(values: list[Any]) -> NDArray[Any]:
    try:
        return np.array(values, np.float64)
    except ValueError as error:
        raise InvalidInput("The rows' features have different lengths: they were measured on another base.") from error


def _new_of(mixture: Mixture) -> Collection[str]:
    return {row.record_id for row in read_mixture(Path(mixture.path)) if row.origin == "new"}


def _read(file: Path) -> Kept:
    rows = pq.read_table(file, columns=_SCHEMA.names).to_pylist()
    return Kept(
        tuple(row["record_id"] for row in rows),
        {row["record_id"]: row["loss"] for row in rows if row["loss"] is not None},
        {row["record_id"]: row["features"] for row in rows if row["features"] is not None},
    )


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"
