"""The gateway's HTTP: OpenAI-compatible, with feedback. Imports no torch and needs no database to answer."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from clm.core import http
from clm.core.database import Database
from clm.core.permissions import PUBLIC, requires
from clm.errors import ClmError, InvalidInput, TooLarge, Unavailable, unknown_name
from clm.serving.engines.engines import engine_of
from clm.serving.gateway import auth, openai
from clm.serving.gateway.answering import Answering
from clm.serving.gateway.request_log import Archive, RequestLog
from clm.serving.gateway.schemas import ChatRequest, FeedbackRequest, PromptRequest, field_path
from clm.serving.routes import RoutesFile
from clm.settings import Settings

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 4 * 1024**2
ConversationId = Annotated[str | None, Header(alias="X-Conversation-Id", max_length=512)]
BodyModel = TypeVar("BodyModel", bound=BaseModel)


def create_app(settings: Settings, database: Database, archive: Archive) -> FastAPI:
    routes = RoutesFile(settings.paths.routes)
    engine = engine_of(settings)
    requests = RequestLog(archive)
    answering = Answering(routes, engine, requests)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        await engine.close()
        await run_in_threadpool(requests.close)

    app = FastAPI(title="CLM gateway", docs_url=None, redoc_url=None, lifespan=lifespan)
    http.install(app, settings, database)
    _speak_openai_errors(app)
    _add_completions(app, answering)
    _add_models(app, routes)

    @app.post("/v1/feedback", status_code=201, dependencies=auth.FEEDBACK)
    async def feedback(request: Request) -> dict[str, str]:
        wish = await _read(request, FeedbackRequest)

        def keep() -> str:
            requests.flush()  # the answer may have been given a moment ago
            return archive.add_feedback(wish.record_id, wish.score, wish.comment)

        try:
            return {"id": await run_in_threadpool(keep), "record_id": wish.record_id}
        except SQLAlchemyError as error:
            raise Unavailable("Feedback can't be kept now, the database does not answer; try again.") from error

    @app.get("/healthz", dependencies=[requires(PUBLIC)])
    async def healthz() -> dict[str, Any]:
        return {"status": "ok", "engine": await engine.is_up(), "revision": routes.current().revision}

    return app


def _add_completions(app: FastAPI, answering: Answering) -> None:
    async def complete(request: Request, wish: ChatRequest | PromptRequest, conversation: str | None) -> Response:
        if not wish.stream:
            return openai.completion(wish, await http.unless_gone(request, answering.answer(wish, conversation)))
        streaming = await http.unless_gone(request, answering.stream(wish, conversation))
        headers = {**openai.headers(streaming.record_id, streaming.release_id), "Cache-Control": "no-store"}
        return StreamingResponse(openai.chunks(wish, streaming), headers=headers, media_type="text/event-stream")

    @app.post("/v1/chat/completions", dependencies=auth.ASK)
    async def chat_completions(request: Request, conversation: ConversationId = None) -> Response:
        return await complete(request, await _read(request, ChatRequest), conversation)

    @app.post("/v1/completions", dependencies=auth.ASK)
    async def completions(request: Request, conversation: ConversationId = None) -> Response:
        return await complete(request, await _read(request, PromptRequest), conversation)


def _add_models(app: FastAPI, routes: RoutesFile) -> None:
    @app.get("/v1/models", dependencies=auth.ASK)
    def models() -> dict[str, Any]:
        """Every model, and its releases that can be asked for by name."""
        names: list[str] = []
        for name, route in routes.current().models.items():
            aliases = {"champion": route.champion, "candidate": route.candidate, "previous": route.previous}
            names += [name, *(f"{name}@{alias}" for alias, release in aliases.items() if release)]
        return {"object": "list", "data": [openai.model_object(name) for name in names]}

    @app.get("/v1/models/{name}", dependencies=auth.ASK)
    def model(name: str) -> dict[str, Any]:
        known = routes.current().models
        if name.partition("@")[0] not in known:
            raise unknown_name("model", name, list(known))
        return openai.model_object(name)


async def _read(request: Request, kind: type[BodyModel]) -> BodyModel:
    """The body, as far as the limit lets it grow. Raises TooLarge, or InvalidInput naming the field."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise TooLarge(f"A request has at most {MOST_BODY_BYTES} bytes.")
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        deepest = max(error.errors(), key=lambda each: len(each["loc"]))  # of a union: where the value came closest
        field = field_path(deepest["loc"])
        reason = deepest["msg"].removeprefix("Value error, ")
        raise InvalidInput(f"{field or 'The body'}: {reason}.", field=field or None) from None


def _speak_openai_errors(app: FastAPI) -> None:
    """Replaces problem+json: OpenAI's clients read their own error shape. What they call invalid has status 400."""

    @app.exception_handler(ClmError)
    def _clm(request: Request, error: ClmError) -> Response:  # noqa: ARG001
        status = 400 if isinstance(error, InvalidInput) else error.status
        field, code = (str(value) if (value := error.details.get(key)) else None for key in ("field", "code"))
        return openai.error_response(status, error.sentence, field, code)

    @app.exception_handler(RequestValidationError)
    def _validation(request: Request, error: RequestValidationError) -> Response:  # noqa: ARG001
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        return openai.error_response(400, f"{field}: {first['msg']}.", field)

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> Response:
        log.exception("request %s failed", getattr(request.state, "request_id", "?"), exc_info=error)
        return openai.error_response(500, openai.MISTAKE)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        sentence = f"{request.method} {request.scope['path']}: {error.detail}."
        return openai.error_response(error.status_code, sentence, code="unknown_url")
