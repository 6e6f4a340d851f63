"""The audit: one entry per change, written in the transaction of the change, so neither exists without the other."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from clm.audit.chain import GENESIS, Link, digest
from clm.audit.tables import AuditEntry
from clm.core import events
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.hashing import canonical_json

_POSTGRES_LOCK = 0x434C4D41  # "CLMA": an advisory lock that makes appenders queue; SQLite's write lock does the same


def append(
    session: Session,
    caller: Caller,
    action: str,
    object_kind: str,
    object_id: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Adds the next entry to the caller's transaction, and tells listeners.

    `action` is "<kind>.<verb>", such as "release.register". `before` and `after` hold ids, states and numbers, never
    the content of records. Raises ValueError or TypeError where they are not JSON (NaN, objects): a mistake in the code.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    last = session.execute(
        select(AuditEntry.sequence, AuditEntry.hash).order_by(AuditEntry.sequence.desc()).limit(1)
    ).first()
    link = Link(
        sequence=last.sequence + 1 if last else 1,
        at=now(),
        actor=caller.actor,
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        before=_plain(before),
        after=_plain(after),
        reason=caller.reason,
        request_id=caller.request_id,
        previous_hash=last.hash if last else GENESIS,
    )
    entry = AuditEntry(**link.__dict__, hash=digest(link))
    session.add(entry)
    session.flush()
    events.publish(session, "audit", str(entry.sequence), entry.sequence)
    return entry


def _plain(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The value as the database will give it back (tuples are lists, keys are strings), so that its hash is the same."""
    return None if value is None else json.loads(canonical_json(dict(value)))
