"""The hash chain: every entry's hash covers all its fields and the hash before it. Pure; what is stored lies elsewhere.

Whoever changes, inserts, removes or swaps an entry breaks the chain at that place. Whoever cuts the end off, or writes
all of it anew, is found out by the signed heads, see clm.audit.heads.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from clm.core.hashing import sha256_json, sha256_text

GENESIS = sha256_text("CLM audit chain, version 1")  # the `previous_hash` of entry 1


@dataclass(frozen=True)
class Link:
    """What the chain says of one entry. `before` and `after` are plain JSON values."""

    sequence: int  # 1, 2, 3 … without gaps
    at: datetime
    actor: str
    action: str
    object_kind: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None
    previous_hash: str


def digest(link: Link) -> str:
    """SHA-256 over the canonical JSON of every field; the time in UTC with microseconds."""
    return sha256_json({**link.__dict__, "at": link.at.astimezone(UTC).isoformat(timespec="microseconds")})


def fault(link: Link, stored_hash: str, sequence: int, previous_hash: str) -> str | None:
    """What is wrong with an entry that should be number `sequence` after `previous_hash`; None: nothing."""
    if link.sequence != sequence:
        return f"Entry {sequence} is missing: entry {link.sequence} stands in its place."
    if link.previous_hash != previous_hash:
        return f"Entry {sequence} does not follow from the entry before it: one of them was replaced."
    if digest(link) != stored_hash:
        return f"Entry {sequence} was changed after it was written: its hash does not match its fields."
    return None
