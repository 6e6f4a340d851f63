"""Batches, refused rows and watched folders in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from clm.errors import NotFound
from clm.ingest.tables import Batch, ConflictRow, DeadLetter, DroppedRow, HeldBatch, Source


def get_batch(session: Session, batch_id: str) -> Batch:
    batch = session.get(Batch, batch_id)
    if batch is None:
        raise NotFound(f"There is no batch {batch_id!r}; GET /api/v1/batches lists them.")
    return batch


def batch_by_key(session: Session, model: str, key: str) -> Batch | None:
    return session.scalar(select(Batch).where(Batch.model == model, Batch.idempotency_key == key))


def first_delivered(session: Session, model: str, body_hash: str) -> str | None:
    """When this very body came for the first time, in ISO 8601; None where it did not come before."""
    query = select(Batch.created_at).where(Batch.model == model, Batch.body_hash == body_hash)
    first = session.scalar(query.where(Batch.state == "committed").order_by(Batch.id).limit(1))
    return first.isoformat() if first else None


def unfinished(session: Session) -> list[Batch]:
    """Batches whose rows may or may not be in the store, oldest first."""
    return list(session.scalars(select(Batch).where(Batch.state == "receiving").order_by(Batch.id)))


def list_batches(
    session: Session, *, model: str | None = None, task: str | None = None, before: str | None = None, limit: int = 50
) -> list[Batch]:
    """Newest first, from `before` (a batch's id) on."""
    query = select(Batch).order_by(Batch.id.desc()).limit(limit)
    if model is not None:
        query = query.where(Batch.model == model)
    if task is not None:
        query = query.where(Batch.task == task)
    if before is not None:
        query = query.where(Batch.id < before)
    return list(session.scalars(query))


def refusals(session: Session, batch_id: str, *, after: int = 0, limit: int = 100) -> list[DeadLetter]:
    """Refused rows in the order of their lines; `after` is the last one's id."""
    query = select(DeadLetter).where(DeadLetter.batch_id == batch_id, DeadLetter.id > after)
    return list(session.scalars(query.order_by(DeadLetter.id).limit(limit)))


def has_rows(session: Session, model: str, task: str) -> bool:
    """Whether a batch of the task was committed before."""
    query = select(Batch.id).where(Batch.model == model, Batch.task == task, Batch.state == "committed").limit(1)
    return session.scalar(query) is not None


def batches_since(
    session: Session, model: str, task: str, since: datetime | None, version: int | None = None
) -> dict[str, int]:
    """Rows that may be trained on of each batch of a task that came after a moment (None: ever), or after a version of
    the dataset where one is given: what came between a moment and a version is in that version.

    Batches that are held or discarded are not among them; one that was released counts as if it came then. Of the rows
    some may be dropped, undecided or superseded: the store tells (`Store.trainable`).
    """
    held = select(HeldBatch.batch_id).where(HeldBatch.model == model, HeldBatch.state != "released")
    query = select(Batch.id, Batch.accepted - Batch.into_suite).where(
        Batch.model == model,
        Batch.task == task,
        Batch.suite.is_(False),
        Batch.state == "committed",
        Batch.id.not_in(held),
    )
    if since is not None:
        again = select(HeldBatch.batch_id).where(HeldBatch.model == model, HeldBatch.decided_at > since)
        came = Batch.finished_at > since if version is None else Batch.dataset_version > version
        query = query.where(or_(came, Batch.id.in_(again)))
    return {batch: rows for batch, rows in session.execute(query) if rows}


def held_batches(
    session: Session, *, model: str | None = None, task: str | None = None, states: Sequence[str] = ("held",)
) -> list[HeldBatch]:
    """Oldest first."""
    query = select(HeldBatch).where(HeldBatch.state.in_(states)).order_by(HeldBatch.id)
    if model is not None:
        query = query.where(HeldBatch.model == model)
    if task is not None:
        query = query.where(HeldBatch.task == task)
    return list(session.scalars(query))


def held_by_reference(session: Session, reference: str) -> list[HeldBatch]:
    """Every time that a batch was held, or all batches held because of an update; oldest first."""
    named = or_(HeldBatch.batch_id == reference, HeldBatch.update_id == reference)
    return list(session.scalars(select(HeldBatch).where(named).order_by(HeldBatch.id)))


def list_sources(session: Session) -> list[Source]:
    return list(session.scalars(select(Source).order_by(Source.created_at, Source.id)))


def source_by_address(session: Session, kind: str, address: str) -> Source | None:
    return session.scalar(select(Source).where(Source.kind == kind, Source.address == address))


def conflicts(
    session: Session,
    *,
    model: str | None = None,
    task: str | None = None,
    state: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[ConflictRow]:
    """Oldest first, after the one with this id; what is None does not matter."""
    query = select(ConflictRow).order_by(ConflictRow.id).limit(limit)
    for column, wanted in ((ConflictRow.model, model), (ConflictRow.task, task), (ConflictRow.state, state)):
        if wanted is not None:
            query = query.where(column == wanted)
    return list(session.scalars(query if after is None else query.where(ConflictRow.id > after)))


def conflicts_by_reference(session: Session, reference: str) -> list[ConflictRow]:
    """The one with this id, or all open ones of a batch; oldest first."""
    named = or_(ConflictRow.id == reference, (ConflictRow.batch_id == reference) & (ConflictRow.state == "open"))
    return list(session.scalars(select(ConflictRow).where(named).order_by(ConflictRow.id)))


def dropped_rows(session: Session, model: str, *, undone: bool = False) -> list[DroppedRow]:
    """Oldest first; `undone`: also what was taken back."""
    query = select(DroppedRow).where(DroppedRow.model == model).order_by(DroppedRow.id)
    return list(session.scalars(query if undone else query.where(DroppedRow.undone_at.is_(None))))
