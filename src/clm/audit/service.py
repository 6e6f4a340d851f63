"""The audit: one entry per change, written in the transaction of the change, so neither exists without the other."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from clm.audit import heads as heads_file
from clm.audit import repository
from clm.audit.chain import GENESIS, Link, digest, fault
from clm.audit.tables import AuditEntry
from clm.core import events
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.hashing import canonical_json
from clm.settings import Paths

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
    the content of records. Raises ValueError or TypeError where they are not JSON (NaN, objects).
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    last = repository.newest(session)
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
    """The value as the database gives it back (tuples are lists, keys are strings), so that its hash stays the same."""
    return None if value is None else json.loads(canonical_json(dict(value)))


@dataclass(frozen=True)
class Verification:
    """The outcome of reading the whole chain."""

    ok: bool
    entries: int  # entries that hold, from the start
    first_bad: int | None  # sequence of the first entry that does not hold
    reason: str  # a sentence, also when all is well
    anchored: int = 0  # newest entry that stands under a signed head


def verify(session: Session, paths: Paths | None = None) -> Verification:
    """Reads the chain from its start; with `paths` also compares it with the signed heads.

    `session` must be fresh, or entries written and signed since its first read look cut off.
    """
    heads, problem = heads_file.read_heads(paths) if paths else ([], None)
    signed = {head.sequence: head.hash for head in heads}
    anchored = max(signed, default=0)
    sequence, previous = 0, GENESIS
    for fields in repository.chain(session):
        stored = fields.pop("hash")
        reason = fault(Link(**fields), stored, sequence + 1, previous)
        if reason is None and signed.get(sequence + 1, stored) != stored:
            reason = f"Entry {sequence + 1} is not the one that was signed: the chain was written anew."
        if reason:
            return Verification(False, sequence, sequence + 1, reason, anchored)
        sequence, previous = sequence + 1, stored
    if anchored > sequence:
        reason = f"The chain ends at entry {sequence}, but entry {anchored} was signed: its end was cut off."
        return Verification(False, sequence, sequence + 1, reason, anchored)
    if problem:
        return Verification(False, sequence, None, problem, anchored)
    under = f", {anchored} of them under a signed head" if paths else ""
    return Verification(True, sequence, None, f"All {sequence} entries hold{under}.", anchored)
