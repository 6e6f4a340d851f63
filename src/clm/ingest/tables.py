from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Batch(Base):
    """One delivery of rows. `state`: receiving | committed | refused (no row was usable)."""

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("model", "idempotency_key"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # bat_…
    model: Mapped[str] = mapped_column(index=True)
    task: Mapped[str] = mapped_column(index=True)
    source: Mapped[str]
    suite: Mapped[bool]
    state: Mapped[str]
    idempotency_key: Mapped[str | None]
    body_hash: Mapped[str | None]
    received: Mapped[int] = mapped_column(default=0)
    accepted: Mapped[int] = mapped_column(default=0)
    duplicate: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    into_suite: Mapped[int] = mapped_column(default=0)  # of the accepted: put into the suite by the holdout share
    superseding: Mapped[int] = mapped_column(default=0)  # of the accepted: they say something newer than what held
    late: Mapped[int] = mapped_column(default=0)  # of the accepted: something newer was known already
    contradicting: Mapped[int] = mapped_column(default=0)  # of the accepted: held until a person decides
    notes: Mapped[list[Any]] = mapped_column(default=list)  # sentences about the delivery as a whole
    dataset_version: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None]
    spool_path: Mapped[str | None]  # the body as it came, relative to the home, until the batch is committed
    delivery: Mapped[dict[str, Any]] = mapped_column(default=dict)  # how to read it, fixed on arrival: clm.ingest.batch


class DeadLetter(Base):
    """A refused row."""

    __tablename__ = "dead_letters"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"), index=True)
    line: Mapped[int]
    field: Mapped[str | None]
    reason: Mapped[str]
    sample: Mapped[str]


class HeldBatch(Base):
    """A batch whose rows an update learned from and the gate rejected. `state`: held | released | discarded.

    While it is held or discarded its rows stay in the dataset, but no update learns from them.
    """

    __tablename__ = "held_batches"
    __table_args__ = (UniqueConstraint("batch_id", "update_id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    batch_id: Mapped[str] = mapped_column(index=True)
    update_id: Mapped[str] = mapped_column(index=True)  # that was rejected
    model: Mapped[str] = mapped_column(index=True)
    task: Mapped[str]
    rows: Mapped[int]  # that the update learned from
    reason: Mapped[str]  # the gate's sentence
    state: Mapped[str]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]  # when it was released or discarded


class DroppedRow(Base):
    """A row that a person took out: it stays in the dataset, but leaves mixtures, memories and suites from then on."""

    __tablename__ = "dropped_rows"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    model: Mapped[str] = mapped_column(index=True)
    record_id: Mapped[str]
    task: Mapped[str]
    suite: Mapped[bool]  # a held-out example, or a training row
    reason: Mapped[str]
    actor: Mapped[str]
    created_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]


class ConflictRow(Base):
    """Answers to one prompt that contradict each other. `state`: open | resolved.

    While it is open its new rows stay in the dataset, but no update learns from them or asks them.
    """

    __tablename__ = "conflicts"

    id: Mapped[str] = mapped_column(primary_key=True)  # cfl_…
    model: Mapped[str] = mapped_column(index=True)
    task: Mapped[str]
    batch_id: Mapped[str] = mapped_column(index=True)  # that brought the new rows
    key: Mapped[str] = mapped_column(index=True)
    prompt: Mapped[str]
    reason: Mapped[str]
    # {record_id, answer, event_time, source, batch_id, held_out, new} of each row; what held before comes first
    options: Mapped[list[Any]]
    state: Mapped[str]
    decision: Mapped[str | None]  # newest | keep-both | the record id that is right
    wins: Mapped[list[Any]] = mapped_column(default=list)  # record ids
    loses: Mapped[list[Any]] = mapped_column(default=list)
    decided_by: Mapped[str | None]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]


class Source(Base):
    """Where records come from without being sent. `settings` are its kind's, see clm.ingest.sources."""

    __tablename__ = "sources"
    __table_args__ = (UniqueConstraint("kind", "address"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # src_…
    kind: Mapped[str]
    address: Mapped[str]
    settings: Mapped[dict[str, Any]]
    model: Mapped[str]
    task: Mapped[str]
    suite: Mapped[bool] = mapped_column(default=False)
    key: Mapped[str | None]  # columns that say what a row is about; None: its prompt
    created_at: Mapped[datetime]
