"""Operations: asking for one and telling how it stands. Doing them is `clm.duties.operations`'s work.

One that a crash cut off is done again from its beginning, so all of them are idempotent.
"""

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.core.ids import new_id
from clm.errors import Conflict, NotFound
from clm.operations import repository
from clm.operations.tables import Operation
from clm.records import Json

UNDER_WAY = ("queued", "running")


def ask(session: Session, caller: Caller, *, kind: str, subject: str, request: Json) -> Operation:
    """Queues an operation; the worker does it. The same request while it is under way is the same operation.

    Raises Conflict where another one of this kind and subject is under way.
    """
    for known in repository.in_states(session, UNDER_WAY):
        if (known.kind, known.subject) == (kind, subject):
            if known.request == request:
                return known
            raise Conflict(f"Operation {known.id} does that for {subject!r} already; wait for its end.")
    operation = Operation(
        id=new_id("opn"),
        kind=kind,
        subject=subject,
        request=request,
        asked_by=caller.actor,
        state="queued",
        created_at=now(),
    )
    session.add(operation)
    audit(session, caller, "operation.ask", "operation", operation.id, after={"kind": kind, "subject": subject})
    publish(session, "operation", operation.id)
    return operation


def get(session: Session, operation_id: str) -> Operation:
    operation = repository.get(session, operation_id)
    if operation is None:
        raise NotFound(f"There is no operation {operation_id!r}.")
    return operation


def begin(session: Session, operation_id: str) -> Operation:
    operation = get(session, operation_id)
    operation.state = "running"
    operation.started_at = operation.started_at or now()  # what is done again began then
    publish(session, "operation", operation_id)
    return operation


def tell(session: Session, operation_id: str, progress: str) -> None:
    get(session, operation_id).progress = progress
    publish(session, "operation", operation_id)


def finish(session: Session, caller: Caller, operation_id: str, state: str, outcome: str, result: Json | None) -> None:
    operation = get(session, operation_id)
    operation.state, operation.outcome, operation.result = state, outcome, result
    operation.finished_at, operation.progress = now(), None
    audit(session, caller, f"operation.{state}", "operation", operation_id, after={"outcome": outcome})
    publish(session, "operation", operation_id)
