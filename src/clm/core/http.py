"""What every HTTP service shares: problem+json errors, request ids, host and origin checks, dependencies."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from clm.core.caller import Caller
from clm.core.database import Database
from clm.core.ids import new_id
from clm.core.trouble import sentence_of
from clm.errors import ClientGone, ClmError
from clm.settings import Settings

log = logging.getLogger(__name__)
Result = TypeVar("Result")
CALLER = "X-CLM-Caller"
_COMMAND_LINE = re.compile(r"cli(:[\w.@+-]{1,64})?")
LOOPBACK = ["127.0.0.1", "localhost", "[::1]", "testserver"]


def get_database(request: Request) -> Database:
    return request.app.state.database


def get_settings(request: Request) -> Settings:
    return request.app.state.settings


def get_caller(request: Request) -> Caller:
    """Who says so: until there are accounts, a command line's word is taken for which user it is of."""
    said = request.headers.get(CALLER, "")
    return Caller(said if _COMMAND_LINE.fullmatch(said) else "api", request.state.request_id)


DatabaseDep = Annotated[Database, Depends(get_database)]
SettingsDep = Annotated[Settings, Depends(get_settings)]
CallerDep = Annotated[Caller, Depends(get_caller)]


def problem(request: Request, status: int, title: str, detail: str, **more: object) -> JSONResponse:
    """RFC 9457 problem details; `request_id` finds the matching log line."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail,
            "request_id": getattr(request.state, "request_id", None), **more}  # fmt: skip
    return JSONResponse(body, status, media_type="application/problem+json")


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """What `work` gives. It is cancelled as soon as the client closes its connection; the body must have been read.

    Raises ClientGone, which nobody gets to see.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientGone("The client closed its connection before its answer came.")
    finally:
        leaving.cancel()
        if doing.cancel():
            await asyncio.wait({doing})  # for what it does on its way out


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def install(app: FastAPI, settings: Settings, database: Database) -> None:
    """Adds state, middleware and error handlers to a service."""
    app.state.settings = settings
    app.state.database = database
    app.middleware("http")(_request_id_and_origin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK)

    @app.exception_handler(ClmError)
    def _clm(request: Request, error: ClmError) -> JSONResponse:
        return problem(request, error.status, error.title, error.sentence, **error.details)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [{"field": ".".join(str(p) for p in e["loc"][1:]), "reason": e["msg"]} for e in error.errors()]
        sentence = "; ".join(f"{f['field'] or 'body'}: {f['reason']}" for f in fields)
        return problem(request, 422, "Invalid input", sentence, fields=fields)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(request, error.status_code, str(error.detail), str(error.detail))

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.exception("request %s failed", getattr(request.state, "request_id", "?"), exc_info=error)
        if (sentence := sentence_of(error)) is not None:
            return problem(request, 503, "Unavailable", sentence)
        return problem(request, 500, "Internal error", "CLM made a mistake. The log has the details under this id.")


async def _request_id_and_origin(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.request_id = new_id("req")
    origin = request.headers.get("origin")
    if origin and request.method not in ("GET", "HEAD", "OPTIONS") and not _same_host(origin):
        return problem(request, 403, "Foreign origin", f"Requests from {origin} are not accepted.")
    response = await call_next(request)
    response.headers["X-Request-Id"] = request.state.request_id
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def _same_host(origin: str) -> bool:
    try:
        return urlsplit(origin).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False
