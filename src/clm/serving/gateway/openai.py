"""OpenAI's response shapes, so that every client that speaks to OpenAI speaks to CLM."""

import json
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Literal

from fastapi.responses import JSONResponse

from clm.core.hashing import short
from clm.errors import ClmError
from clm.serving.engines.engine import EngineAnswer
from clm.serving.gateway.answering import Answered, Streaming
from clm.serving.gateway.schemas import ChatRequest, PromptRequest

log = logging.getLogger(__name__)

Kind = Literal["chat", "text"]
MISTAKE = "CLM made a mistake. The gateway's log has the details."
_CODES = {404: "model_not_found", 413: "request_too_large", 503: "engine_unavailable"}


def error_body(status: int, sentence: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": sentence, "type": kind, "param": param, "code": code or _CODES.get(status)}}


def error_response(status: int, sentence: str, param: str | None = None, code: str | None = None) -> JSONResponse:
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(error_body(status, sentence, param, code), status, headers)


def headers(record_id: str, release_id: str) -> dict[str, str]:
    return {"X-CLM-Record-Id": record_id, "X-CLM-Release": release_id}


def kind_of(wish: ChatRequest | PromptRequest) -> Kind:
    return "chat" if isinstance(wish, ChatRequest) else "text"


def completion(wish: ChatRequest | PromptRequest, answered: Answered) -> JSONResponse:
    answer = answered.answer
    choice: dict[str, Any] = {"index": 0, "finish_reason": answer.finish_reason, "logprobs": None}
    if isinstance(wish, ChatRequest):
        choice["message"] = {"role": "assistant", "content": answer.text, "refusal": None}
    else:
        choice["text"] = answer.text
    body = {**_frame(wish, answered.record_id, answered.release_id), "choices": [choice], "usage": _usage(answer)}
    body["object"] = "chat.completion" if isinstance(wish, ChatRequest) else "text_completion"
    return JSONResponse(body, headers=headers(answered.record_id, answered.release_id))


async def chunks(wish: ChatRequest | PromptRequest, streaming: Streaming) -> AsyncGenerator[bytes]:
    """Server-Sent Events; an answer that breaks off ends with an error event and without [DONE]."""
    frame = _frame(wish, streaming.record_id, streaming.release_id)
    frame["object"] = "chat.completion.chunk" if isinstance(wish, ChatRequest) else "text_completion"
    kind = kind_of(wish)
    whole: EngineAnswer | None = None
    try:
        if kind == "chat":
            yield _event({**frame, "choices": [_delta({"role": "assistant", "content": ""})]})
        async with aclosing(streaming.pieces) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    choice = _delta({"content": piece}) if kind == "chat" else _text(piece, None)
                    yield _event({**frame, "choices": [choice]})
                else:
                    whole = piece
                    last = _delta({}, piece.finish_reason) if kind == "chat" else _text("", piece.finish_reason)
                    yield _event({**frame, "choices": [last]})
    except ClmError as error:
        yield _event(error_body(error.status, error.sentence))
        return
    except Exception as error:
        log.exception("answer %s broke off", streaming.record_id, exc_info=error)
        yield _event(error_body(500, MISTAKE))
        return
    if whole is not None and wish.stream_options and wish.stream_options.include_usage:
        yield _event({**frame, "choices": [], "usage": _usage(whole)})
    yield b"data: [DONE]\n\n"


def model_object(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "clm"}


def _frame(wish: ChatRequest | PromptRequest, record_id: str, release_id: str) -> dict[str, Any]:
    prefix = "chatcmpl" if isinstance(wish, ChatRequest) else "cmpl"
    return {
        "id": f"{prefix}-{record_id}",
        "created": int(time.time()),
        "model": wish.model,
        "system_fingerprint": short(release_id),
    }


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def _text(text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": None}


def _usage(answer: EngineAnswer) -> dict[str, int]:
    total = answer.prompt_tokens + answer.completion_tokens
    return {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.completion_tokens, "total_tokens": total}


def _event(value: dict[str, Any]) -> bytes:
    """ASCII: some clients end a line at U+2028 and its like, where the format knows only line feeds."""
    return f"data: {json.dumps(value)}\n\n".encode()
