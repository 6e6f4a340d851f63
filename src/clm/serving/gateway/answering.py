"""Answers a request: chooses the release, asks the engine, and notes what happened to each release that was asked."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from clm.core.clock import now
from clm.core.hashing import sha256_text
from clm.core.ids import new_id
from clm.errors import ClientGone, ClmError, InvalidInput
from clm.formats.routes import Routes
from clm.serving.engines.engine import Engine, EngineAnswer, EngineFailed, EngineRequest
from clm.serving.gateway.request_log import AnswerRecord, RequestLog
from clm.serving.gateway.schemas import ChatRequest, PromptRequest
from clm.serving.gateway.split import Choice, champion, choose


@dataclass(frozen=True)
class Answered:
    record_id: str
    release_id: str
    answer: EngineAnswer


@dataclass(frozen=True)
class Streaming:
    """A stream whose first piece has arrived, so its release does answer."""

    record_id: str
    release_id: str
    pieces: AsyncGenerator[str | EngineAnswer]


@dataclass(frozen=True)
class _Try:
    """One release being asked."""

    choice: Choice
    conversation: str
    record_id: str
    start: float

    def record(self, status: int, error: str | None, answer: EngineAnswer | None = None) -> AnswerRecord:
        return AnswerRecord(
            id=self.record_id,
            model=self.choice.route.model,
            release_id=self.choice.release_id,
            expert=answer.expert if answer else None,
            conversation=self.conversation,
            status=status,
            error=error,
            latency_ms=(time.perf_counter() - self.start) * 1000,
            prompt_tokens=answer.prompt_tokens if answer else 0,
            completion_tokens=answer.completion_tokens if answer else 0,
            pinned=self.choice.pinned,
            at=now(),
        )


class RoutesNow(Protocol):
    def current(self) -> Routes: ...


class Answering:
    def __init__(self, routes: RoutesNow, engine: Engine, log: RequestLog) -> None:
        self._routes = routes
        self._engine = engine
        self._log = log

    async def answer(self, wish: ChatRequest | PromptRequest, conversation: str | None) -> Answered:
        """Raises NotFound for an unknown model, EngineFailed, or InvalidInput."""
        attempt = self._first_try(wish, conversation)
        try:
            return await self._ask(attempt, wish)
        except EngineFailed:
            if not attempt.choice.may_fall_back:
                raise
        return await self._ask(self._fall_back(attempt), wish)

    async def stream(self, wish: ChatRequest | PromptRequest, conversation: str | None) -> Streaming:
        """As `answer`. Once the first piece is out there is no way to another release any more."""
        attempt = self._first_try(wish, conversation)
        try:
            return await self._open(attempt, wish)
        except EngineFailed:
            if not attempt.choice.may_fall_back:
                raise
        return await self._open(self._fall_back(attempt), wish)

    def _first_try(self, wish: ChatRequest | PromptRequest, conversation: str | None) -> _Try:
        key = conversation or wish.user or wish.first_words()
        choice = choose(self._routes.current(), wish.model, key)
        return _Try(choice, sha256_text(key)[:32], new_id("ans"), time.perf_counter())

    def _fall_back(self, failed: _Try) -> _Try:
        model = failed.choice.route.model
        route = self._routes.current().models.get(model, failed.choice.route)
        return _Try(champion(route), failed.conversation, new_id("ans"), time.perf_counter())

    async def _ask(self, attempt: _Try, wish: ChatRequest | PromptRequest) -> Answered:
        try:
            answer = await self._engine.answer(_request(attempt.choice, wish))
        except (Exception, asyncio.CancelledError) as error:
            self._note(attempt, error)
            raise
        self._log.add(attempt.record(200, _flaw(answer, wish), answer))
        return Answered(attempt.record_id, attempt.choice.release_id, answer)

    async def _open(self, attempt: _Try, wish: ChatRequest | PromptRequest) -> Streaming:
        pieces = self._engine.stream(_request(attempt.choice, wish))
        try:
            first = await anext(pieces)
        except (Exception, asyncio.CancelledError) as error:
            self._note(attempt, error)
            raise
        return Streaming(attempt.record_id, attempt.choice.release_id, self._follow(attempt, wish, first, pieces))

    async def _follow(
        self, attempt: _Try, wish: ChatRequest | PromptRequest, first: str | EngineAnswer,
        rest: AsyncGenerator[str | EngineAnswer],
    ) -> AsyncGenerator[str | EngineAnswer]:  # fmt: skip
        """Passes the pieces on, and notes how the stream ended: whole, broken off, or left by the client."""
        status, error, answer = ClientGone.status, None, None
        try:
            async with aclosing(rest):
                piece = first
                while True:
                    if isinstance(piece, EngineAnswer):
                        status, error, answer = 200, _flaw(piece, wish), piece
                    yield piece
                    if answer is not None:
                        return
                    try:
                        piece = await anext(rest)
                    except StopAsyncIteration:
                        raise EngineFailed("The engine broke off its answer.") from None
        except Exception as failure:
            status, error = _fault(failure)
            raise
        finally:
            self._log.add(attempt.record(status, error, answer))

    def _note(self, attempt: _Try, error: BaseException) -> None:
        """What a release did not answer. A request that breaks a rule is not its fault, nor is a client that leaves."""
        if isinstance(error, Exception) and not isinstance(error, InvalidInput):
            self._log.add(attempt.record(*_fault(error)))
        elif not isinstance(error, Exception):
            self._log.add(attempt.record(ClientGone.status, None))


def _fault(error: Exception) -> tuple[int, str]:
    if isinstance(error, ClmError):
        return error.status, error.sentence
    return 500, f"The gateway failed on this answer ({type(error).__name__})."


def _request(choice: Choice, wish: ChatRequest | PromptRequest) -> EngineRequest:
    route = choice.route
    return EngineRequest(
        release_id=choice.release_id,
        **wish.question(),
        max_tokens=wish.limit() or route.max_new_tokens,
        temperature=route.temperature if wish.temperature is None else wish.temperature,
        top_p=wish.top_p,
        seed=wish.seed,
        stop=tuple(wish.stop),
    )


def _flaw(answer: EngineAnswer, wish: ChatRequest | PromptRequest) -> str | None:
    """An answer without a word is an error, unless the client's own stop words cut it."""
    return "empty answer" if not answer.text.strip() and not wish.stop else None
