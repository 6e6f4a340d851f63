"""Sources: adding one, and taking in what is there."""

import logging

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog.service import get_task
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.ids import new_id
from clm.errors import Conflict
from clm.ingest import repository
from clm.ingest.intake import Intake, columns_of
from clm.ingest.sources.kinds import by_name
from clm.ingest.tables import Source
from clm.records import IngestReport, Json

_log = logging.getLogger(__name__)


def add(
    session: Session,
    caller: Caller,
    *,
    kind: str,
    settings: Json,
    model: str,
    task: str,
    suite: bool = False,
    key: str | None = None,
) -> Source:
    """Takes records in from there from now on; the very same source again changes nothing.

    Raises NotFound for an unknown model or task, InvalidInput for settings that can't work, Conflict where records of
    that address go elsewhere already.
    """
    get_task(session, model, task)
    key = columns_of(key)
    address, whole = by_name(kind).check(settings)
    known = repository.source_by_address(session, kind, address)
    if known:
        if (known.model, known.task, known.suite, known.key, known.settings) == (model, task, suite, key, whole):
            return known
        raise Conflict(f"{address} is a source already, for task {known.task!r} of model {known.model!r}.")
    source = Source(
        id=new_id("src"), kind=kind, address=address, settings=whole, model=model, task=task, suite=suite, key=key,
        created_at=now(),
    )  # fmt: skip
    session.add(source)
    entry = {"kind": kind, "address": address, "model": model, "task": task, "suite": suite, "key": key}
    audit(session, caller, "source.add", "source", source.id, after=entry)
    return source


def poll(intake: Intake) -> list[IngestReport]:
    """Takes in what is there, source after source. One that fails keeps no other waiting."""
    with intake.database.read() as session:
        known = repository.list_sources(session)
    reports: list[IngestReport] = []
    for source in known:
        try:
            reports += by_name(source.kind).poll(intake, source)
        except Exception:
            _log.exception("source %s (%s) failed; it is asked again", source.id, source.address)
    return reports
