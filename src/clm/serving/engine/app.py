"""The engine's HTTP, for gateway and worker on this machine only."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, Field, model_validator

from clm.core import http
from clm.core.database import Database
from clm.core.hashing import short
from clm.core.permissions import PUBLIC, requires
from clm.errors import ClmError, Conflict, InvalidInput, NotFound, Unavailable
from clm.llm.prompts import chat_ids, prompt_ids, routing_ids
from clm.llm.runtime import GenerationRequest
from clm.records import Shape
from clm.serving.engine import auth
from clm.serving.engine.faults import GARBAGE_TEMPERATURE, Fault, scramble
from clm.serving.engine.scheduler import Job, Scheduler
from clm.serving.engine.slots import Slot, Slots
from clm.serving.engines.engine import EngineAnswer
from clm.serving.routes import RoutesFile
from clm.settings import Settings

LOADING_SECONDS = 60.0  # a request waits so long for a release that is named but still being loaded
LOOK_EVERY = 0.02  # seconds


class GenerateBody(BaseModel):
    release_id: str
    messages: list[dict[str, str]] | None = None
    prompt: str | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 64
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    stream: bool = False

    @model_validator(mode="after")
    def _one_question(self) -> "GenerateBody":
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("give either messages or a prompt")
        return self


class Probe(BaseModel):
    shape: Shape
    content: dict[str, Any]
    max_tokens: Annotated[int, Field(ge=1)] = 64


class ProbeBody(BaseModel):
    release_id: str
    probes: Annotated[list[Probe], Field(max_length=256)]


class Engine:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.routes = RoutesFile(settings.paths.routes)
        self.slots = Slots(settings, self.routes)
        self.scheduler = Scheduler(self.slots)

    async def slot(self, release_id: str) -> Slot:
        """Waits while a release that is named is being loaded."""
        deadline = time.monotonic() + LOADING_SECONDS
        while (slot := self.slots.find(release_id)) is None:
            if time.monotonic() > deadline:
                raise Unavailable(f"Release {short(release_id)} is still being loaded; try again in a moment.")
            await asyncio.sleep(LOOK_EVERY)
        return slot

    async def job(self, body: GenerateBody) -> Job:
        """The request with whatever fault its slot has."""
        slot = await self.slot(body.release_id)
        messages = body.messages if body.messages is not None else [{"role": "user", "content": body.prompt or ""}]
        ids = chat_ids(slot.runtime.base.tokenizer, messages)
        _check_length(slot, ids, "prompt" if body.messages is None else "messages")
        seed = random.getrandbits(63) if body.seed is None else body.seed % 2**63
        request = GenerationRequest(ids, None, body.max_tokens, body.temperature, body.top_p, seed, body.stop)
        fault = slot.fault
        if fault is None or not fault.strikes():
            return Job(slot, request, ids)
        if fault.kind == "error":
            raise Unavailable(f"Release {short(slot.release_id)} failed: a fault is switched on in its slot.")
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            return Job(slot, request, ids)
        ids = scramble(ids)
        return Job(slot, GenerationRequest(ids, None, body.max_tokens, GARBAGE_TEMPERATURE, 1.0, seed), ids)

    async def answer(self, job: Job) -> EngineAnswer:
        self.scheduler.submit(job)
        try:
            return await asyncio.shield(asyncio.wrap_future(job.done))  # the scheduler ends it, also if nobody waits
        except asyncio.CancelledError:
            job.cancelled.set()
            raise

    async def open_stream(self, job: Job) -> AsyncGenerator[bytes]:
        """Starts to answer; returns when the first text is there, so that an early failure is a proper HTTP error."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[str | None] = asyncio.Queue()  # None: no more text

        def tell(text: str | None) -> None:
            with suppress(RuntimeError):  # the loop has ended: the service stops, nobody listens
                loop.call_soon_threadsafe(events.put_nowait, text)

        job.on_text = tell
        job.done.add_done_callback(lambda _: tell(None))
        self.scheduler.submit(job)
        try:
            first = await events.get()
        except asyncio.CancelledError:
            job.cancelled.set()
            raise
        if first is None and (error := job.done.exception()):
            raise error
        return _lines(job, first, events)


def create_app(settings: Settings, database: Database) -> FastAPI:
    engine = Engine(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        engine.slots.start()
        engine.scheduler.start()
        yield
        await asyncio.to_thread(engine.scheduler.close)
        await asyncio.to_thread(engine.slots.close)

    app = FastAPI(title="CLM engine", docs_url=None, redoc_url=None, lifespan=lifespan)
    http.install(app, settings, database)
    _add_endpoints(app, engine)
    return app


def _add_endpoints(app: FastAPI, engine: Engine) -> None:
    @app.get("/healthz", dependencies=[requires(PUBLIC)])
    def healthz(request: Request) -> Response:
        if not engine.slots.first_look_done.is_set():
            return http.problem(request, 503, "Loading", "The engine is loading its releases.")
        return JSONResponse({"status": "ok"})

    @app.get("/internal/releases", dependencies=auth.SERVE)
    def releases() -> dict[str, Any]:
        ready = engine.slots.ready()
        routes = engine.routes.current()
        errors = engine.slots.errors()
        return {
            "revision": routes.revision,
            "ready": sorted(ready),
            "loading": sorted(routes.releases.keys() - ready.keys() - errors.keys()),
            "errors": errors,
            "faults": {r: slot.fault.model_dump() for r, slot in ready.items() if slot.fault},
            "experts": {r: slot.experts for r, slot in ready.items()},
        }

    @app.post("/internal/generate", dependencies=auth.SERVE)
    async def generate(body: GenerateBody, request: Request) -> Response:
        job = await http.unless_gone(request, engine.job(body))
        if body.stream:
            pieces = await http.unless_gone(request, engine.open_stream(job))
            return StreamingResponse(pieces, media_type="application/x-ndjson")
        return JSONResponse(asdict(await http.unless_gone(request, engine.answer(job))))

    @app.post("/internal/probe", dependencies=auth.SERVE)
    async def probe(body: ProbeBody) -> dict[str, Any]:
        """Answers examples as the gate evaluated them: greedy, and without any fault."""
        slot = await engine.slot(body.release_id)
        tokenizer = slot.runtime.base.tokenizer
        jobs: list[Job] = []
        for asked in body.probes:
            ids = prompt_ids(tokenizer, asked.shape, asked.content)
            _check_length(slot, ids)
            request = GenerationRequest(ids, None, asked.max_tokens)
            jobs.append(Job(slot, request, routing_ids(tokenizer, asked.shape, asked.content)))
        return {"answers": [asdict(a) for a in await asyncio.gather(*(engine.answer(job) for job in jobs))]}

    @app.put("/internal/releases/{release_id}/fault", dependencies=auth.FAULT)
    async def set_fault(release_id: str, fault: Fault) -> dict[str, Any]:
        if not engine.settings.allow_faults:
            raise Conflict("Faults are for drills only; set allow_faults to switch them on.")
        (await engine.slot(release_id)).fault = fault
        return fault.model_dump()

    @app.delete("/internal/releases/{release_id}/fault", status_code=204, dependencies=auth.FAULT)
    def clear_fault(release_id: str) -> None:
        slot = engine.slots.ready().get(release_id)
        if slot is None:
            raise NotFound(f"The engine does not hold release {short(release_id)}.")
        slot.fault = None


async def _lines(job: Job, first: str | None, events: "asyncio.Queue[str | None]") -> AsyncGenerator[bytes]:
    try:
        text = first
        while text is not None:
            yield _line({"delta": text})
            text = await events.get()
        error = job.done.exception()
        if error is None:
            yield _line({"answer": asdict(job.done.result())})
        else:
            yield _line({"error": error.sentence if isinstance(error, ClmError) else "The engine failed."})
    finally:
        job.cancelled.set()  # heard where the client has gone; without meaning after the end


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


def _check_length(slot: Slot, ids: list[int], field: str = "messages") -> None:
    limit = slot.runtime.base.model.config.max_positions
    if not ids or len(ids) >= limit:
        sentence = f"The prompt has {len(ids)} tokens; this model reads 1 to {limit - 1}."
        raise InvalidInput(sentence, field=field, code="context_length_exceeded")
