"""Taking rows in: each delivery has one effect, whatever crashes and however often it is sent.

Spool and sync the body → a batch `receiving` → append to the store → the batch `committed` (or `refused`), with its
refused rows, audit entry and event in one transaction. A crash in between leaves the batch `receiving`, and `recover`
runs it again: the store knows which batches it has, so no row is lost and none is doubled.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog.metrics import advice
from clm.catalog.service import get_task
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.database import Database
from clm.core.events import publish
from clm.core.failpoints import hit
from clm.core.hashing import sha256_json
from clm.core.ids import new_id
from clm.core.locks import file_lock
from clm.errors import Conflict, InvalidInput
from clm.ingest import conflicts, repository
from clm.ingest.batch import Delivery, Loaded, load
from clm.ingest.fitting import check_of, limits_now
from clm.ingest.intake import BatchSpec, Intake
from clm.ingest.reading import format_of
from clm.ingest.spool import Spooled, drop_forgotten, spool
from clm.ingest.tables import Batch, DeadLetter
from clm.records import IngestReport, Refusal

REPORTED_REFUSALS = 100  # refused rows told in the report; all kept ones: GET /api/v1/batches/{id}/refusals
REPEATED = (
    "This very body came before, so its rows are no news: those that don't say an event time keep the one they had."
)
_log = logging.getLogger(__name__)


def ingest(intake: Intake, body: Path | BinaryIO, spec: BatchSpec) -> IngestReport:
    """Takes a JSONL, CSV or Parquet file of rows.

    Raises NotFound for an unknown model or task, InvalidInput for an unreadable kind of file, TooLarge over
    `max_upload_bytes`, Conflict where the key was used for another body. Bad rows don't raise; the report has them.
    """
    check_target(intake.database, spec.model, spec.task)
    if spec.file_name is None and isinstance(body, Path):
        spec = replace(spec, file_name=body.name)
    return take(intake, spool(intake.settings, body), spec)


def check_target(database: Database, model: str, task: str) -> None:
    with database.read() as session:
        get_task(session, model, task)


def take(intake: Intake, body: Spooled, spec: BatchSpec) -> IngestReport:
    """Like `ingest`, for a body that is in the spool already; the spool is cleaned in every case."""
    try:
        if body.size == 0:
            raise InvalidInput("The file is empty; there is nothing to take.", field="file")
        spec.check()
        form = format_of(body.path, format=spec.format, file_name=spec.file_name, content_type=spec.content_type)
        batch_id, is_first = _register(intake, body, replace(spec, format=form))
    except BaseException:
        body.drop()
        raise
    hit("ingest.after-register")
    if not is_first:
        body.drop()
    return _finish(intake, spec.model, batch_id)


def recover(intake: Intake) -> list[IngestReport]:
    """Finishes batches that a crash left behind, and drops forgotten uploads."""
    with intake.database.read() as session:
        waiting = [(batch.id, batch.model) for batch in repository.unfinished(session)]
    reports: list[IngestReport] = []
    for batch_id, model in waiting:
        try:
            reports.append(_finish(intake, model, batch_id))
        except Exception:  # one bad batch must not keep the others from being finished
            _log.exception(
                "batch %s could not be finished; it stays in the spool and is tried at the next start", batch_id
            )
    drop_forgotten(intake.database, intake.settings)
    return reports


def _register(intake: Intake, body: Spooled, spec: BatchSpec) -> tuple[str, bool]:
    """Writes the batch `receiving`, or finds the one that came under this key; tells which."""
    model, task, key, columns = spec.model, spec.task, spec.idempotency_key, spec.columns
    body_hash = sha256_json([body.sha256, task, spec.suite, spec.format, *([columns] if columns else [])])
    limits = limits_now(intake.database, intake.settings, model, task)
    try:
        with intake.database.transaction() as session:
            wanted = get_task(session, model, task)
            known = repository.batch_by_key(session, model, key) if key is not None else None
            if known is None:
                delivery = {
                    "format": spec.format,
                    "holdout": 0.0 if spec.suite else wanted.holdout,
                    "exam": wanted.exam,
                    "key": columns,
                    "event_time": repository.first_delivered(session, model, body_hash),
                    "sealed": wanted.open_slice > 1,
                    "slice": wanted.open_slice,
                    "max_line_bytes": intake.settings.max_line_bytes,
                    **limits,
                }
                batch = Batch(
                    id=new_id("bat"), model=model, task=task, source=spec.source, suite=spec.suite, state="receiving",
                    idempotency_key=key, body_hash=body_hash, created_at=now(), delivery=delivery,
                    spool_path=str(body.path.relative_to(intake.settings.home)),
                )  # fmt: skip
                session.add(batch)
                return batch.id, True
    except IntegrityError:  # PostgreSQL: another request with this key was a moment faster
        with intake.database.read() as session:
            known = repository.batch_by_key(session, model, key or "")
        if known is None:
            raise
    if known.body_hash != body_hash:
        raise Conflict(
            f"The Idempotency-Key {key!r} came with another body before (batch {known.id}). Use a new key for new rows."
        )
    return known.id, False


def _finish(intake: Intake, model: str, batch_id: str) -> IngestReport:
    """Loads a batch unless that is done, and reports. Whoever comes second waits for the first."""
    database, settings = intake.database, intake.settings
    with file_lock(settings.paths.run / f"ingest-{model}.lock"):
        with database.read() as session:
            batch = repository.get_batch(session, batch_id)
        if batch.state == "receiving":
            body = settings.home / (batch.spool_path or "")
            delivery = _delivery(batch)
            with database.read() as session:
                ruled = conflicts.rulings(session, model)
            loaded = load(intake.store, body, delivery, check_of(settings, delivery), ruled)
            hit("ingest.after-append")
            with database.transaction() as session:
                _commit(session, intake.caller, repository.get_batch(session, batch_id), loaded)
            hit("ingest.after-commit")
            body.unlink(missing_ok=True)
        with database.read() as session:
            return _report(session, repository.get_batch(session, batch_id))


def _delivery(batch: Batch) -> Delivery:
    return Delivery(
        batch_id=batch.id, model=batch.model, task=batch.task, source=batch.source, suite=batch.suite,
        arrived=batch.created_at, **batch.delivery,
    )  # fmt: skip


def _commit(session: Session, caller: Caller, batch: Batch, loaded: Loaded) -> None:
    batch.received, batch.accepted, batch.duplicate = loaded.received, loaded.accepted, loaded.duplicate
    batch.refused, batch.into_suite, batch.dataset_version = loaded.refused, loaded.into_suite, loaded.version
    if not repository.has_rows(session, batch.model, batch.task):
        said = advice(get_task(session, batch.model, batch.task).metric, loaded.sample)
        batch.delivery = {**batch.delivery, "advice": said}
    batch.superseding, batch.late, batch.contradicting = loaded.superseding, loaded.late, loaded.contradicting
    batch.notes = [*([REPEATED] if batch.delivery.get("event_time") else []), *loaded.notes]
    batch.state = "committed" if loaded.accepted + loaded.duplicate else "refused"
    batch.finished_at = now()
    batch.spool_path = None
    conflicts.hold(session, batch, loaded)
    session.add_all(DeadLetter(batch_id=batch.id, **refusal.__dict__) for refusal in loaded.refusals)
    names = ("model", "task", "suite", "received", "accepted", "duplicate", "refused", "into_suite", "superseding",
            "late", "contradicting", "dataset_version")  # fmt: skip
    action = "batch.commit" if batch.state == "committed" else "batch.refuse"
    audit(session, caller, action, "batch", batch.id, after={name: getattr(batch, name) for name in names})
    publish(session, "batch", batch.id, 1)


def _report(session: Session, batch: Batch) -> IngestReport:
    refusals = repository.refusals(session, batch.id, limit=REPORTED_REFUSALS)
    return IngestReport(
        batch_id=batch.id,
        model=batch.model,
        task=batch.task,
        received=batch.received,
        accepted=batch.accepted,
        duplicate=batch.duplicate,
        refused=batch.refused,
        suite=batch.suite,
        dataset_version=batch.dataset_version if batch.accepted else None,
        refusals=tuple(Refusal(r.line, r.field, r.reason, r.sample) for r in refusals),
        into_suite=batch.into_suite,
        superseding=batch.superseding,
        late=batch.late,
        contradicting=batch.contradicting,
        notes=tuple(batch.notes or ()),
        unchecked=batch.delivery.get("unchecked"),
        advice=batch.delivery.get("advice"),
    )
