"""Our own engine (`clm.serving.engine`), asked over HTTP. It follows the routes file by itself."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import httpx

from clm.errors import InvalidInput
from clm.records import Json
from clm.serving.engines.engine import (
    Engine,
    EngineAnswer,
    EngineControl,
    EngineFailed,
    EngineRequest,
    Held,
    NoEngine,
    Question,
)
from clm.settings import Settings

ANSWER_SECONDS = 120.0  # longest wait for the next piece of an answer
CONNECT_SECONDS = 5.0
PROBE_SECONDS = 120.0  # for all answers of a probe
_UNREADABLE = "The engine's answer can't be read: is it of another version?"


class TransformersEngine(Engine):
    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        limits = httpx.Limits(max_connections=1000, max_keepalive_connections=100)
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._http = httpx.AsyncClient(
            base_url=settings.engine_url, timeout=timeout, limits=limits, trust_env=False, transport=transport
        )

    async def answer(self, request: EngineRequest) -> EngineAnswer:
        try:
            response = await self._http.post("/internal/generate", json=asdict(request))
        except httpx.HTTPError as error:
            raise _failed(error) from error
        _check(response)
        return _answer(_parsed(response.content))

    async def stream(self, request: EngineRequest) -> AsyncGenerator[str | EngineAnswer]:
        body = {**asdict(request), "stream": True}
        try:
            async with self._http.stream("POST", "/internal/generate", json=body) as response:
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


class TransformersControl(EngineControl):
    def __init__(self, settings: Settings, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(
            base_url=settings.engine_url, timeout=PROBE_SECONDS, trust_env=False, transport=transport
        )

    def hold(self, releases: Mapping[str, str]) -> None:
        """The engine reads them in the routes file."""

    def held(self) -> Held:
        said = self._ask("GET", "/internal/releases", timeout=CONNECT_SECONDS)
        try:
            return Held(frozenset(said["ready"]), frozenset(said["loading"]), dict(said["errors"]))
        except (KeyError, TypeError, ValueError):
            raise EngineFailed(_UNREADABLE) from None

    def probe(self, release_id: str, questions: Sequence[Question]) -> list[EngineAnswer]:
        body = {"release_id": release_id, "probes": [asdict(question) for question in questions]}
        said = self._ask("POST", "/internal/probe", body)
        answers = said.get("answers")
        if not isinstance(answers, list) or len(cast("list[Any]", answers)) != len(questions):
            raise EngineFailed(_UNREADABLE)
        return [_answer(answer) for answer in cast("list[Any]", answers)]

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: Json | None = None, timeout: float = PROBE_SECONDS) -> Json:
        try:
            response = self._http.request(method, path, json=body, timeout=timeout)
        except httpx.ConnectError as error:
            raise NoEngine(str(error)) from error
        except httpx.HTTPError as error:
            raise _failed(error) from error
        _check(response)
        return _parsed(response.content)


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
