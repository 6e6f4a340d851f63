"""`Idempotency-Key` on POST: the same key has one effect however often it is sent, and gets the same answer.

The first request with a key claims it. What the request commits carries the key along in the same transaction, so that
after a crash the key knows whether the change happened; the answer is kept right after. Who repeats the request gets
that answer, or is told that it was done and the answer was lost. What failed without changing anything lets go of its
key: it may be tried again. (Rows come in with a mechanism of their own, which keeps their key for good.)
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import FastAPI, Request, Response
from sqlalchemy import delete, event, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column
from starlette.concurrency import run_in_threadpool

from clm.core.clock import now
from clm.core.database import Base, Database
from clm.core.hashing import sha256_json
from clm.core.http import problem
from clm.errors import ClmError, Conflict, InvalidInput

HEADER = "Idempotency-Key"
KEPT = timedelta(days=1)
PATIENCE = timedelta(seconds=60)  # then a claim is of a process that died before it changed anything
_OWN = ("/api/v1/records",)  # see clm.ingest.service
_claimed: ContextVar[str | None] = ContextVar("claimed", default=None)


class IdempotencyKey(Base):
    """`state`: claimed | done (its change is committed) | answered."""

    __tablename__ = "idempotency_keys"

    id: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 of method, path and key
    request_hash: Mapped[str]  # of what was asked
    state: Mapped[str]
    at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    media_type: Mapped[str | None]
    body: Mapped[str | None]


@dataclass(frozen=True)
class _Asked:
    id: str
    request_hash: str


def install(app: FastAPI, database: Database) -> None:
    """Adds this to a service."""

    @app.middleware("http")
    async def once(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None or request.url.path in _OWN:
            return await call_next(request)
        try:
            asked = _asked(request, key, await request.body())
            known = await run_in_threadpool(_claim, database, asked)
        except ClmError as error:
            return problem(request, error.status, error.title, error.sentence, **error.details)
        if known is not None:
            return known
        token = _claimed.set(asked.id)
        try:
            response = await call_next(request)
            return await _answered(database, asked, response)
        finally:
            _claimed.reset(token)
            await run_in_threadpool(_let_go, database, asked)


def prune(session: Session, before: datetime) -> None:
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.at < before))


def _asked(request: Request, key: str, body: bytes) -> _Asked:
    if not (0 < len(key) <= 200 and key.isprintable()):
        raise InvalidInput(f"An {HEADER} has 1 to 200 printable characters.", field=HEADER)
    where = sha256_json([request.method, request.url.path, key])
    return _Asked(where, sha256_json([request.url.query, body.hex()]))


def _claim(database: Database, asked: _Asked) -> Response | None:
    """None: the key is ours, go on. Raises Conflict for a key that came with another request, or is being worked on."""
    try:
        with database.transaction() as session:
            row = session.get(IdempotencyKey, asked.id)
            if row is None or (row.state == "claimed" and now() - row.at > PATIENCE):
                session.merge(IdempotencyKey(id=asked.id, request_hash=asked.request_hash, state="claimed", at=now()))
                return None
    except IntegrityError:  # PostgreSQL: the same request was a moment faster
        raise _under_way() from None
    if row.request_hash != asked.request_hash:
        raise Conflict(f"This {HEADER} came with another request before. Use a new key for a new wish.")
    if row.state == "answered":
        headers = {"Idempotency-Replayed": "true"}
        return Response(row.body, row.status or 200, headers, media_type=row.media_type)
    if row.state == "done":
        raise Conflict("This request was done before, and its answer was lost on the way. Look at what it changed.")
    raise _under_way()


def _under_way() -> Conflict:
    return Conflict("The request with this key is being answered at this moment; ask again for its answer.")


async def _answered(database: Database, asked: _Asked, response: Response) -> Response:
    """The response, kept where it tells of success."""
    pieces = [piece async for piece in response.body_iterator]  # type: ignore[attr-defined]
    body = b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
    media_type = response.headers.get("content-type")
    if response.status_code < 400:
        await run_in_threadpool(_keep, database, asked, response.status_code, media_type, body.decode())
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return Response(body, response.status_code, headers)


def _keep(database: Database, asked: _Asked, status: int, media_type: str | None, body: str) -> None:
    with database.transaction() as session:
        row = session.get_one(IdempotencyKey, asked.id)
        row.state, row.status, row.media_type, row.body = "answered", status, media_type, body


def _let_go(database: Database, asked: _Asked) -> None:
    """A claim under which nothing was changed and nothing answered is free again."""
    with database.transaction() as session:
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.id == asked.id, IdempotencyKey.state == "claimed"))


@event.listens_for(Session, "before_commit")
def _carry_along(session: Session) -> None:
    claimed = _claimed.get()
    if claimed is None or session.in_nested_transaction():
        return
    mine = update(IdempotencyKey).where(IdempotencyKey.id == claimed, IdempotencyKey.state == "claimed")
    session.execute(mine.values(state="done"))
