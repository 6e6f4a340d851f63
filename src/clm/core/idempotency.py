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
from sqlalchemy import ColumnElement, delete, event, update
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
_claimed: "ContextVar[_Claim | None]" = ContextVar("claimed", default=None)


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
class _Claim:
    """A request's hold on its key, known by its moment: who comes after `PATIENCE` takes it over."""

    id: str
    request_hash: str
    at: datetime

    def is_held(self, *states: str) -> ColumnElement[bool]:
        mine = (IdempotencyKey.id == self.id) & (IdempotencyKey.at == self.at)
        return mine & IdempotencyKey.state.in_(states)


def install(app: FastAPI, database: Database) -> None:
    """Adds this to a service."""

    @app.middleware("http")
    async def once(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        key = request.headers.get(HEADER)
        if request.method != "POST" or key is None or request.url.path.rstrip("/") in _OWN:
            return await call_next(request)
        try:
            asked = _claim_of(request, key, await request.body())
            known = await run_in_threadpool(_claim, database, asked)
        except ClmError as error:
            return problem(request, error.status, error.title, error.sentence, **error.details)
        if known is not None:
            return known
        try:
            return await _answered(database, asked, await _under(asked, call_next, request))
        finally:
            await run_in_threadpool(_let_go, database, asked)


async def _under(claim: _Claim, call_next: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    """Answers the request; whatever it commits is committed under the claim."""
    token = _claimed.set(claim)
    try:
        return await call_next(request)
    finally:
        _claimed.reset(token)


def prune(session: Session, before: datetime) -> None:
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.at < before))


def _claim_of(request: Request, key: str, body: bytes) -> _Claim:
    if not (0 < len(key) <= 200 and key.isprintable()):
        raise InvalidInput(f"An {HEADER} has 1 to 200 printable characters.", field=HEADER)
    where = sha256_json([request.method, request.url.path, key])
    return _Claim(where, sha256_json([request.url.query, body.hex()]), now())


def _claim(database: Database, asked: _Claim) -> Response | None:
    """None: the key is ours, go on. Raises Conflict for a key that came with another request, or is being worked on."""
    try:
        with database.transaction() as session:
            row = session.get(IdempotencyKey, asked.id)
            if row is None or (row.state == "claimed" and asked.at - row.at > PATIENCE):
                mine = IdempotencyKey(id=asked.id, request_hash=asked.request_hash, state="claimed", at=asked.at)
                session.merge(mine)
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


async def _answered(database: Database, asked: _Claim, response: Response) -> Response:
    """The response, kept where it tells of success."""
    pieces = [piece async for piece in response.body_iterator]  # type: ignore[attr-defined]
    body = b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
    media_type = response.headers.get("content-type")
    if response.status_code < 400:
        await run_in_threadpool(_keep, database, asked, response.status_code, media_type, body.decode())
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-length"}
    return Response(body, response.status_code, headers)


def _keep(database: Database, asked: _Claim, status: int, media_type: str | None, body: str) -> None:
    answer = {"state": "answered", "status": status, "media_type": media_type, "body": body}
    with database.transaction() as session:
        session.execute(update(IdempotencyKey).where(asked.is_held("claimed", "done")).values(answer))


def _let_go(database: Database, asked: _Claim) -> None:
    """A claim under which nothing was changed and nothing answered is free again."""
    with database.transaction() as session:
        session.execute(delete(IdempotencyKey).where(asked.is_held("claimed")))


@event.listens_for(Session, "before_commit")
def _carry_along(session: Session) -> None:
    claimed = _claimed.get()
    if claimed is None or session.in_nested_transaction():
        return
    mine = update(IdempotencyKey).where(claimed.is_held("claimed", "done")).values(state="done")
    if not session.execute(mine.returning(IdempotencyKey.id)).all():
        raise _under_way()  # somebody took the claim over: what this request would change is theirs to change
