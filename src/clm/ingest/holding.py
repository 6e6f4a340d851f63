"""Held batches: rows that an update learned from and the gate rejected stay out of later updates until decided.

Nothing accepted is ever lost: a discarded batch is only marked, its rows stay in the dataset, and it can be released.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.errors import Conflict, NotFound
from clm.ingest import repository
from clm.ingest.tables import HeldBatch
from clm.records import Json

Decision = Literal["released", "discarded"]
LEFT_OUT = ("held", "discarded")


def hold(
    session: Session,
    caller: Caller,
    *,
    update_id: str,
    model: str,
    task: str,
    batches: Mapping[str, int],
    reason: str,
) -> list[HeldBatch]:
    """Holds the batches (with the rows of each that were learned from). Again, after a crash: nothing."""
    if not batches or any(row.update_id == update_id for row in repository.held_by_reference(session, update_id)):
        return []
    held = [
        HeldBatch(batch_id=batch, update_id=update_id, model=model, task=task, rows=rows, reason=reason, state="held",
                  created_at=now())
        for batch, rows in batches.items()
    ]  # fmt: skip
    session.add_all(held)
    audit(session, caller, "batch.hold", "update", update_id, after=_told(held, "held"))
    for row in held:
        publish(session, "batch", row.batch_id)
    return held


def decide(session: Session, caller: Caller, reference: str, decision: Decision) -> list[HeldBatch]:
    """Releases or discards a batch, or all batches that an update's rejection held. A discarded one can be released.

    Raises NotFound for what was never held, Conflict where all of it is in that state already.
    """
    rows = repository.held_by_reference(session, reference)
    if not rows:
        raise NotFound(f"Nothing is held under {reference!r}; `clm data held list` shows what is.")
    changed = [row for row in rows if row.state != decision and (decision == "released" or row.state == "held")]
    if not changed:
        raise Conflict(f"{reference} is {rows[-1].state} already.")
    kind = "update" if any(row.update_id == reference for row in changed) else "batch"
    audit(session, caller, f"batch.{'release' if decision == 'released' else 'discard'}", kind, reference,
          before={"states": sorted({row.state for row in changed})}, after=_told(changed, decision))  # fmt: skip
    for row in changed:
        row.state, row.decided_at = decision, now()
        publish(session, "batch", row.batch_id)
    return changed


def left_out(session: Session, model: str) -> frozenset[str]:
    """Ids of the batches that no update of the model may learn from now."""
    return frozenset(row.batch_id for row in repository.held_batches(session, model=model, states=LEFT_OUT))


def _told(rows: Sequence[HeldBatch], state: str) -> Json:
    return {"state": state, "batches": [row.batch_id for row in rows], "rows": sum(row.rows for row in rows)}
