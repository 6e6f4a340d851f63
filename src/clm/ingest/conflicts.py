"""Contradictions: answers to one prompt of which nothing says that one is newer, held until a person decides.

Nothing accepted is lost: rows that contradict stay in the dataset, what held before goes on holding, and a decision can
be made anew. An update sees what was decided when its snapshot was made.
"""

from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.core.ids import new_id
from clm.errors import Conflict, InvalidInput, NotFound
from clm.facts import Ruling
from clm.ingest import repository
from clm.ingest.batch import Loaded
from clm.ingest.dropping import dropped_ids
from clm.ingest.tables import Batch, ConflictRow
from clm.records import Json

NEWEST, KEEP_BOTH = "newest", "keep-both"
STATES = ("open", "resolved")


def hold(session: Session, batch: Batch, loaded: Loaded) -> None:
    """Notes what a delivery contradicts, in the transaction that commits its batch."""
    for each in loaded.contradictions:
        session.add(
            ConflictRow(
                id=new_id("cfl"),
                model=batch.model,
                task=batch.task,
                batch_id=batch.id,
                key=each["key"],
                prompt=each["prompt"],
                reason=each["reason"],
                options=each["options"],
                state="open",
                decision=None,
                wins=[],
                loses=[],
                decided_by=None,
                created_at=now(),
                decided_at=None,
            )
        )
    if loaded.contradictions:
        publish(session, "conflict", batch.id)


def rulings(session: Session, model: str) -> tuple[Ruling, ...]:
    """What people have decided, in the order in which it was asked."""
    resolved = repository.conflicts(session, model=model, state="resolved")
    return tuple(Ruling(tuple(row.wins), tuple(row.loses)) for row in resolved)


class Pins(TypedDict):
    """What people have said about single rows, as the arguments of `Store.snapshot`."""

    dropped: list[str]
    dropped_examples: list[str]
    rulings: tuple[Ruling, ...]


def pins(session: Session, model: str) -> Pins:
    out = dropped_ids(session, model)
    return Pins(dropped=out["dropped"], dropped_examples=out["dropped_examples"], rulings=rulings(session, model))


def conflicts(
    session: Session,
    *,
    model: str | None = None,
    task: str | None = None,
    state: str | None = "open",
    after: str | None = None,
    limit: int = 500,
) -> list[ConflictRow]:
    """Oldest first, after the one with this id; `state` None: also those that are resolved."""
    return repository.conflicts(session, model=model, task=task, state=state, after=after, limit=limit)


def get(session: Session, conflict_id: str) -> ConflictRow:
    row = session.get(ConflictRow, conflict_id)
    if row is None:
        raise NotFound(f"There is no contradiction {conflict_id!r}; `clm data conflicts` lists them.")
    return row


def resolve(
    session: Session, caller: Caller, decision: str, *, reference: str | None = None, model: str | None = None
) -> list[ConflictRow]:
    """Decides one contradiction (its id), all open ones of a batch (its id), or all open ones of a model.

    `decision`: newest | keep-both | the record id that is right. Raises NotFound, InvalidInput for a record that is
    none of the answers, Conflict where that was decided before.
    """
    rows = _meant(session, reference, model)
    changed = [row for row in rows if row.decision != decision]
    if not changed:
        raise Conflict(f"That was decided before: {decision}.")
    for row in changed:
        before = row.decision
        row.wins, row.loses = ruled(row.id, row.options, decision)
        row.state, row.decision, row.decided_by, row.decided_at = "resolved", decision, caller.actor, now()
        after = {"decision": decision, "wins": row.wins, "loses": row.loses}
        audit(session, caller, "conflict.resolve", "conflict", row.id, before={"decision": before}, after=after)
        publish(session, "conflict", row.id)
    return changed


def ruled(conflict_id: str, options: Sequence[Json], decision: str) -> tuple[list[str], list[str]]:
    """Record ids that are right, and that are not. Of equal moments the one named last is the newest."""
    ids = [option["record_id"] for option in options]
    if decision == KEEP_BOTH:
        return list(dict.fromkeys(ids)), []
    if decision == NEWEST:
        last = max(range(len(options)), key=lambda at: (options[at]["event_time"], at))
    elif decision in ids:
        last = ids.index(decision)
    else:
        raise InvalidInput(
            f"{decision!r} is none of the answers of {conflict_id}: say newest, keep-both, or one of {', '.join(ids)}.",
            field="decision",
        )
    right = options[last]["answer"].strip()
    wins = [option["record_id"] for option in options if option["answer"].strip() == right]
    return list(dict.fromkeys(wins)), [one for one in dict.fromkeys(ids) if one not in wins]


def _meant(session: Session, reference: str | None, model: str | None) -> list[ConflictRow]:
    if reference is None:
        rows = conflicts(session, model=model, limit=100_000)
        if not rows:
            raise NotFound("No contradiction waits for a decision.")
        return rows
    return repository.conflicts_by_reference(session, reference) or [get(session, reference)]
