"""The gateway's side of the engine's HTTP: one answer, or its pieces as they come."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

import httpx

from clm.errors import ClmError, InvalidInput

ANSWER_SECONDS = 120.0  # longest wait for the next piece of an answer
CONNECT_SECONDS = 5.0
_UNREADABLE = "The engine's answer can't be read: is it of another version?"


class EngineFailed(ClmError):
    """The engine gave no answer: it is down, too slow, or this release fails in it."""

    status = 503
    title = "The engine gave no answer"


@dataclass(frozen=True)
class EngineAnswer:
    text: str
    expert: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str


class EngineClient:
    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=timeout, limits=limits, trust_env=False, transport=transport
        )

    async def generate(self, body: dict[str, Any]) -> EngineAnswer:
        """Raises EngineFailed, or InvalidInput where the engine refuses the request itself."""
        try:
            response = await self._http.post("/internal/generate", json=body)
        except httpx.HTTPError as error:
            raise _failed(error) from error
        _check(response)
        return _answer(_parsed(response.content))

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[str | EngineAnswer]:
        """Pieces of text, then the whole answer. Raises as `generate`, also in the middle."""
        try:
            async with self._http.stream("POST", "/internal/generate", json={**body, "stream": True}) as response:
                if not response.is_success:
                    await response.aread()
                    _check(response)
                async for line in _lines(response):
                    event = _parsed(line)
                    if "error" in event:
                        raise EngineFailed(str(event["error"]))
                    yield str(event["delta"]) if "delta" in event else _answer(event.get("answer"))
        except httpx.HTTPError as error:
            raise _failed(error) from error

    async def is_up(self) -> bool:
        try:
            return (await self._http.get("/healthz", timeout=2)).is_success
        except httpx.HTTPError:
            return False

    async def close(self) -> None:
        await self._http.aclose()


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Records end with a line feed and nothing else: text in them may hold what `aiter_lines` takes for an end."""
    rest = b""
    async for piece in response.aiter_bytes():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise EngineFailed(_UNREADABLE)
    return cast("dict[str, Any]", value)


def _answer(value: Any) -> EngineAnswer:
    try:
        return EngineAnswer(**value)
    except TypeError:
        raise EngineFailed(_UNREADABLE) from None


def _failed(error: httpx.HTTPError) -> EngineFailed:
    return EngineFailed(f"The engine does not answer ({type(error).__name__}); try again in a moment.")


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        problem = _parsed(response.content)
    except EngineFailed:
        problem = {}
    sentence = str(problem.get("detail") or f"The engine answered {response.status_code}.")
    if response.status_code == InvalidInput.status:
        raise InvalidInput(sentence, **{key: problem[key] for key in ("field", "code") if key in problem})
    raise EngineFailed(sentence)
