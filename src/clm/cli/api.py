"""The way in: what a command wants is a request to `/api/v1`.

The API that runs on this home answers it. Where none runs, the same application does in this process, so that there is
one way to do a thing, with one set of rules.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clm.errors import ClmError, Conflict, Forbidden, InvalidInput, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from clm.settings import Settings

CALLER = "X-CLM-Caller"  # as clm.core.http reads it
KEY = "Idempotency-Key"
TRIES = 3
PAGE = 500  # items asked for at a time
CONNECT_SECONDS = 5.0
_PIECE = 1 << 20  # bytes of a file sent at a time
_KINDS: dict[int, type[ClmError]] = {
    each.status: each for each in (Conflict, Forbidden, InvalidInput, NotFound, TooLarge, Unavailable)
}


def part(text: str) -> str:
    """A name or an id as a part of a path."""
    return quote(text, safe="")


class Api:
    """`app` makes the application where none runs; `actor` is who asks."""

    def __init__(self, settings: "Settings", actor: str, app: "Callable[[], FastAPI]") -> None:
        self._settings = settings
        self._actor = actor
        self._make_app = app
        self._app: FastAPI | None = None

    def get(self, path: str, **query: Any) -> Any:
        return self._ask("GET", path, query)

    def every(self, path: str, most: int | None = None, **query: Any) -> list[Any]:
        """The items of all pages of a list, or its first `most`."""
        items: list[Any] = []
        cursor = None
        while True:
            page = self.get(path, **query, limit=PAGE if most is None else min(most, PAGE), cursor=cursor)
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None or (most is not None and len(items) >= most):
                return items[:most]

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """One effect, however often it has to be sent."""
        return self._ask("POST", path, query, body=body, key=_new_key())

    def upload(self, path: str, file: Path | None, *, idempotency_key: str | None = None, **query: Any) -> Any:
        """Posts a file as it is; None: no body."""
        return self._ask("POST", path, query, file=file, key=idempotency_key or _new_key())

    def patch(self, path: str, body: Any, *, seen: int | None = None, **query: Any) -> Any:
        return self._ask("PATCH", path, query, body=body, seen=seen)

    def put(self, path: str, body: Any, *, seen: int | None = None, **query: Any) -> Any:
        return self._ask("PUT", path, query, body=body, seen=seen)

    def delete(self, path: str, **query: Any) -> None:
        self._ask("DELETE", path, query)

    def _ask(
        self, method: str, path: str, query: dict[str, Any], *, body: Any = None, file: Path | None = None,
        key: str | None = None, seen: int | None = None,
    ) -> Any:  # fmt: skip
        headers = {CALLER: self._actor}
        if key is not None:
            headers[KEY] = key
        if seen is not None:
            headers["If-Match"] = f'"{seen}"'
        if file is not None:
            headers["Content-Length"] = str(file.stat().st_size)
        params = {name: value for name, value in query.items() if value is not None}
        tries = TRIES if method == "GET" or key is not None else 1
        return _result(self._answer(method, path, tries, params=params, headers=headers, body=body, file=file))

    def _answer(self, method: str, path: str, tries: int, *, body: Any, file: Path | None, **request: Any) -> Any:
        """Asks again where the connection broke: nobody knows then whether it was done, and the key knows."""
        import httpx

        for left in reversed(range(tries)):
            content = {"content": _pieces(file)} if file is not None else {} if body is None else {"json": body}
            try:
                return asyncio.run(self._once(method, "/api/v1" + path, **request, **content))
            except httpx.TransportError as error:
                if not left:
                    raise Unavailable(
                        f"CLM runs on this home, and its API broke off ({type(error).__name__}). Try again; what it "
                        "did before it broke off is kept."
                    ) from None
                time.sleep(0.5)
        raise AssertionError("there is at least one try")

    async def _once(self, method: str, path: str, **request: Any) -> "httpx.Response":
        import httpx

        address = self.address()
        if address is not None:
            try:
                timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
                async with httpx.AsyncClient(base_url=address, timeout=timeout, trust_env=False) as client:
                    return await client.request(method, path, **request)
            except httpx.ConnectError:
                pass  # it starts, or is being started again: nothing was asked yet
        transport = httpx.ASGITransport(self._here())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **request)

    def address(self) -> str | None:
        """Of the API that runs on this home."""
        from clm.core.running import read_state

        state = read_state(self._settings.paths)
        port = state["services"].get("api", {}).get("port") if state else None
        return None if port is None else self._settings.model_copy(update={"api_port": port}).api_url

    def _here(self) -> "FastAPI":
        if self._app is None:
            self._app = self._make_app()
        return self._app


def _new_key() -> str:
    return f"cli-{uuid.uuid4().hex}"


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _result(response: "httpx.Response") -> Any:
    """Raises the error that the answer tells of."""
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem: dict[str, Any] = response.json()
        sentence = str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        raise ClmError(f"The API answered with {response.status_code}, and no word why.") from None
    raise error_of(response.status_code, str(problem.get("title", "")), sentence, problem)


def error_of(status: int, title: str, sentence: str, details: dict[str, Any]) -> ClmError:
    """An error as it left the API."""
    if status == 500 and details.get("request_id"):
        sentence = f"{sentence} ({details['request_id']})"
    known = {name: details[name] for name in ("line", "field") if name in details}
    error = _KINDS.get(status, ClmError)(sentence, **known)
    error.title = title or error.title
    return error
