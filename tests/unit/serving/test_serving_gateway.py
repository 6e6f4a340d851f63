"""What the gateway makes of an engine's words, and of an engine that fails or a client that leaves in the middle."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from clm.errors import InvalidInput
from clm.formats.routes import Route, Routes
from clm.serving.engines.engine import EngineAnswer, EngineFailed, EngineRequest
from clm.serving.engines.transformers import TransformersEngine
from clm.serving.gateway import openai
from clm.serving.gateway.answering import Answering
from clm.serving.gateway.request_log import AnswerRecord, RequestLog
from clm.serving.gateway.schemas import ChatRequest, PromptRequest
from clm.settings import Settings

ANSWER = {"text": "a\u2028b", "expert": "base", "prompt_tokens": 3, "completion_tokens": 2, "finish_reason": "stop"}
RELEASE = "a" * 64
WISH = ChatRequest.model_validate({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True})
Handler = Callable[[httpx.Request], httpx.Response]


class Kept:
    """Routes of one model, and what the log was told."""

    def __init__(self) -> None:
        self.records: list[AnswerRecord] = []

    def current(self) -> Routes:
        return Routes(1, {"m": Route("m", "b" * 64, RELEASE, None, None, 0.0, 8, 0.0)})

    def add_answers(self, records: list[AnswerRecord]) -> None:
        self.records += records

    def add_feedback(self, record_id: str, score: float, comment: str | None) -> str:
        return record_id


def lines(*events: object, ascii_only: bool = False) -> bytes:
    return b"".join(json.dumps(event, ensure_ascii=ascii_only).encode() + b"\n" for event in events)


def saying(content: bytes, pieces: int = 7, status: int = 200) -> Handler:
    """An engine whose answer comes in pieces that know nothing of lines."""

    async def stream() -> AsyncIterator[bytes]:
        for at in range(0, len(content), pieces):
            yield content[at : at + pieces]

    return lambda _: httpx.Response(status, content=stream())


async def asked(handler: Handler) -> tuple[list[dict[str, Any] | str], list[AnswerRecord]]:
    """The events that a client gets of a stream, and what was booked."""
    kept = Kept()
    log = RequestLog(kept, seconds=0.01)
    client = TransformersEngine(Settings(), httpx.MockTransport(handler))
    try:
        streaming = await Answering(kept, client, log).stream(WISH, None)
        raw = b"".join([chunk async for chunk in openai.chunks(WISH, streaming)])
    finally:
        await client.close()
        log.close()
    events = [part.removeprefix("data: ") for part in raw.decode().split("\n\n") if part]
    return [event if event == "[DONE]" else json.loads(event) for event in events], kept.records


def text_of(events: list[dict[str, Any] | str]) -> str:
    chosen = [event["choices"][0] for event in events if isinstance(event, dict) and event.get("choices")]
    return "".join(choice["delta"].get("content", "") for choice in chosen)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "é🙂"])
def test_no_character_of_an_answer_ends_its_stream(odd: str) -> None:
    text = f"one{odd}two"
    content = lines({"delta": text}, {"answer": {**ANSWER, "text": text}})
    events, records = asyncio.run(asked(saying(content)))
    assert text_of(events) == text
    assert events[-1] == "[DONE]"
    assert [(row.status, row.error) for row in records] == [(200, None)]


def test_what_a_client_gets_is_one_line_an_event_for_every_reading_of_lines() -> None:
    content = lines({"delta": "a\u2028b"}, {"answer": ANSWER})

    async def raw() -> str:
        kept = Kept()
        log = RequestLog(kept, seconds=0.01)
        client = TransformersEngine(Settings(), httpx.MockTransport(saying(content)))
        streaming = await Answering(kept, client, log).stream(WISH, None)
        try:
            return b"".join([chunk async for chunk in openai.chunks(WISH, streaming)]).decode()
        finally:
            log.close()

    said = asyncio.run(raw())
    assert all(line.startswith("data: ") for line in said.splitlines() if line)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lines({"delta": "a"}) + b"no json\n", "can't be read"),
        (lines({"delta": "a"}, ["a", "list"]), "can't be read"),
        (lines({"delta": "a"}, {"answer": {"text": "of another version"}}), "can't be read"),
        (lines({"delta": "a"}, {"something": "else"}), "can't be read"),
        (lines({"delta": "a"}, {"error": "The engine failed."}), "The engine failed."),
        (lines({"delta": "a"}), "broke off"),
    ],
)
def test_an_answer_that_breaks_off_says_so_and_is_booked(content: bytes, told: str) -> None:
    events, records = asyncio.run(asked(saying(content)))
    assert text_of(events) == "a"
    last = events[-1]
    assert isinstance(last, dict) and told in last["error"]["message"]
    assert [row.status for row in records] == [503]
    assert told in (records[0].error or "")


def test_a_fault_that_nobody_foresaw_is_an_event_and_the_release_s_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> EngineAnswer:
        raise ZeroDivisionError

    monkeypatch.setattr("clm.serving.engines.transformers._answer", broken)
    events, records = asyncio.run(asked(saying(lines({"delta": "a"}, {"answer": ANSWER}))))
    last = events[-1]
    assert isinstance(last, dict) and last["error"]["type"] == "server_error"
    assert [(row.status, row.error) for row in records] == [
        (500, "The gateway failed on this answer (ZeroDivisionError).")
    ]


def test_an_engine_s_refusal_keeps_its_field_and_code() -> None:
    problem = {"detail": "The prompt has 9 tokens.", "field": "messages", "code": "context_length_exceeded"}
    client = TransformersEngine(Settings(), httpx.MockTransport(lambda _: httpx.Response(422, json=problem)))
    with pytest.raises(InvalidInput, match="9 tokens") as refused:
        asyncio.run(client.answer(EngineRequest("r", prompt="hi")))
    assert refused.value.details == {"field": "messages", "code": "context_length_exceeded"}


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}"])
def test_an_answer_that_is_none_is_the_engine_s_failure(answer: bytes) -> None:
    client = TransformersEngine(Settings(), httpx.MockTransport(lambda _: httpx.Response(200, content=answer)))
    with pytest.raises(EngineFailed, match="can't be read"):
        asyncio.run(client.answer(EngineRequest("r", prompt="hi")))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_leaves_while_it_waits_is_nobody_s_fault(streamed: bool) -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def leave() -> list[AnswerRecord]:
        kept = Kept()
        log = RequestLog(kept, seconds=0.01)
        answering = Answering(kept, TransformersEngine(Settings(), httpx.MockTransport(never)), log)
        asking = asyncio.ensure_future((answering.stream if streamed else answering.answer)(WISH, None))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.wait({asking})
        log.close()
        return kept.records

    assert [(row.status, row.error) for row in asyncio.run(leave())] == [(499, None)]


@pytest.mark.parametrize("kind", [ChatRequest, PromptRequest])
@pytest.mark.parametrize(
    ("wish", "is_met"),
    [
        ({"logprobs": None}, True), ({"logprobs": False}, True), ({"logprobs": 0}, False), ({"logprobs": 0.0}, False),
        ({"logprobs": 1}, False), ({"logprobs": True}, False), ({"echo": 0}, False), ({"best_of": True}, False),
        ({"frequency_penalty": 0.0}, True), ({"min_p": False}, False),
    ],
)  # fmt: skip
def test_zero_is_not_false(kind: type[ChatRequest | PromptRequest], wish: dict[str, Any], is_met: bool) -> None:
    said = {"messages": [{"role": "user", "content": "Hi"}]} if kind is ChatRequest else {"prompt": "Hi"}
    asked = {"model": "m", **said, **wish}
    if is_met:
        kind.model_validate(asked)
    else:
        with pytest.raises(ValidationError, match="can't be served"):
            kind.model_validate(asked)
