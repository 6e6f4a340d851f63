"""The gateway's side of the engine's HTTP: one answer, or its pieces as they come."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx

from clm.errors import ClmError, InvalidInput

ANSWER_SECONDS = 120.0  # longest wait for the next piece of an answer
CONNECT_SECONDS = 5.0


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
    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, trust_env=False)

    async def generate(self, body: dict[str, Any]) -> EngineAnswer:
        """Raises EngineFailed, or InvalidInput where the engine refuses the request itself."""
        try:
            response = await self._http.post("/internal/generate", json=body)
        except httpx.HTTPError as error:
            raise _failed(error) from error
        _check(response)
        return EngineAnswer(**response.json())

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[str | EngineAnswer]:
        """Pieces of text, then the whole answer. Raises as `generate`, also in the middle."""
        try:
            async with self._http.stream("POST", "/internal/generate", json={**body, "stream": True}) as response:
                if not response.is_success:
                    await response.aread()
                    _check(response)
                async for line in response.aiter_lines():
                    event = json.loads(line)
                    if "error" in event:
                        raise EngineFailed(event["error"])
                    yield event["delta"] if "delta" in event else EngineAnswer(**event["answer"])
        except httpx.HTTPError as error:
            raise _failed(error) from error

    async def is_up(self) -> bool:
        try:
            return (await self._http.get("/healthz", timeout=2)).is_success
        except httpx.HTTPError:
            return False

    async def close(self) -> None:
        await self._http.aclose()


def _failed(error: httpx.HTTPError) -> EngineFailed:
    return EngineFailed(f"The engine does not answer ({type(error).__name__}); try again in a moment.")


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        sentence = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        sentence = f"The engine answered {response.status_code}."
    if response.status_code == InvalidInput.status:
        raise InvalidInput(sentence)
    raise EngineFailed(sentence)
