"""Rows that a person takes out: from then on no update learns from them, replays them or asks them.

Nothing accepted is ever lost: a dropped row is only marked, stays in the dataset, and can be taken back. An update sees
what was dropped when its snapshot was made. The prompt of a dropped held-out example stays out of training.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog.service import get_model
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.errors import InvalidInput, NotFound
from clm.ingest import repository
from clm.ingest.tables import DroppedRow
from clm.records import Json

NAMED = 5  # unknown ids that an error names
_LONGEST_REASON = 500  # characters


class Rows(Protocol):
    """What dropping needs of the store (clm.store.store.Store)."""

    def rows(
        self, model: str, record_ids: Iterable[str], version: int | None = None, *, suite: bool = False
    ) -> list[Json]: ...
    def counts(self, model: str, *, suite: bool = False) -> dict[str, int]: ...
    def of_batch(self, model: str, batch_id: str, *, suite: bool = False) -> list[str]: ...


@dataclass(frozen=True)
class Dropped:
    """What dropping (or taking back) did."""

    model: str
    suite: bool
    undone: bool
    records: tuple[Json, ...]  # {record_id, task, content} of what changed
    unchanged: tuple[str, ...]  # were in that state already
    left: dict[str, int]  # rows of each task concerned that still count


def drop(
    session: Session,
    store: Rows,
    caller: Caller,
    *,
    model: str,
    record_ids: Sequence[str],
    suite: bool,
    reason: str,
    undo: bool = False,
) -> Dropped:
    """Marks training rows (or held-out examples) as dropped, or takes that back. Again: nothing happens.

    Raises NotFound naming ids that the dataset does not hold; then nothing is changed.
    """
    get_model(session, model)
    if not 0 < len(reason) <= _LONGEST_REASON:
        raise InvalidInput(f"Say why, in 1 to {_LONGEST_REASON} characters (--reason).", field="reason")
    wanted = list(dict.fromkeys(record_ids))
    there = store.rows(model, wanted, suite=suite)
    _check_known(wanted, {row["record_id"] for row in there}, model, suite)
    active = {(row.record_id, row.task): row for row in _active(session, model, suite)}
    changed = [row for row in there if ((row["record_id"], row["task"]) in active) == undo]
    for row in changed:
        if undo:
            active[row["record_id"], row["task"]].undone_at = now()
        else:
            session.add(DroppedRow(model=model, record_id=row["record_id"], task=row["task"], suite=suite,
                                   reason=reason, actor=caller.actor, created_at=now()))  # fmt: skip
    ids = sorted({row["record_id"] for row in changed})
    if changed:
        action = f"{'suite' if suite else 'data'}.{'undrop' if undo else 'drop'}"
        entry = {"records": ids, "tasks": dict(Counter(row["task"] for row in changed)), "reason": reason}
        audit(session, replace(caller, reason=reason), action, "model", model, after=entry)
        publish(session, "model", model)
    session.flush()
    counts, out = store.counts(model, suite=suite), Counter(row.task for row in _active(session, model, suite))
    return Dropped(
        model=model,
        suite=suite,
        undone=undo,
        records=tuple({name: row[name] for name in ("record_id", "task", "content")} for row in changed),
        unchanged=tuple(one for one in wanted if one not in ids),
        left={task: counts.get(task, 0) - out[task] for task in sorted({row["task"] for row in there})},
    )


def rows_of(session: Session, store: Rows, model: str, batch_id: str, suite: bool) -> list[str]:
    """Ids of the training rows (or held-out examples) that a delivery brought, as `drop` takes them. Raises NotFound
    for an unknown batch, and for one that brought none."""
    batch = repository.get_batch(session, batch_id)
    ids = store.of_batch(model, batch_id, suite=suite) if batch.model == model else []
    if not ids:
        what = "held-out examples" if suite else "training rows"
        raise NotFound(f"Batch {batch_id} brought model {model!r} no {what}; nothing was changed.")
    return ids


def dropped_rows(session: Session, model: str, *, undone: bool = False) -> list[DroppedRow]:
    """Oldest first; `undone`: also what was taken back."""
    return repository.dropped_rows(session, model, undone=undone)


def dropped_ids(session: Session, model: str) -> dict[str, list[str]]:
    """What a snapshot pins (the arguments of `Store.snapshot`): record ids of training rows, and of examples."""
    rows = dropped_rows(session, model)
    return {
        "dropped": sorted({row.record_id for row in rows if not row.suite}),
        "dropped_examples": sorted({row.record_id for row in rows if row.suite}),
    }


def _active(session: Session, model: str, suite: bool) -> list[DroppedRow]:
    return [row for row in dropped_rows(session, model) if row.suite == suite]


def _check_known(wanted: Sequence[str], known: set[str], model: str, suite: bool) -> None:
    unknown = [one for one in wanted if one not in known]
    if not unknown:
        return
    named = ", ".join(unknown[:NAMED]) + (f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else "")
    where = "suites" if suite else "training rows"
    other = "`clm data drop` takes out training rows" if suite else "`clm suite drop` takes out held-out examples"
    raise NotFound(f"The {where} of model {model!r} hold no {named}; nothing was changed. {other}.")
