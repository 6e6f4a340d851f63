"""`GET /api/v1/events`: the outbox as Server-Sent Events. `Last-Event-ID` resumes without a gap.

Where events after that id are no longer kept, the first event is `reset`: read everything anew, as if just connected.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from clm.core import events
from clm.core.database import Database
from clm.core.http import DatabaseDep
from clm.core.permissions import Permission, requires

router = APIRouter(prefix="/api/v1", tags=["events"])
READ = Permission("events:read", "Follow what changes: names of objects and their revisions")
POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 15.0


@router.get("/events", response_class=StreamingResponse, dependencies=[requires(READ)])
async def stream(
    request: Request,
    database: DatabaseDep,
    topics: Annotated[str, Query(description="comma-separated; empty: all")] = "",
    last_event_id: Annotated[int | None, Header()] = None,
) -> StreamingResponse:
    wanted = {topic for topic in topics.split(",") if topic}
    start, reset = await run_in_threadpool(_start, database, last_event_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _lines(request, database, wanted, start, reset), headers=headers, media_type="text/event-stream"
    )


async def _lines(request: Request, database: Database, wanted: set[str], last: int, reset: bool) -> AsyncGenerator[str]:
    yield f"id: {last}\nevent: reset\ndata: {{}}\n\n" if reset else ": connected\n\n"
    quiet = 0.0
    while not await request.is_disconnected():
        rows = await run_in_threadpool(_after, database, last)
        for row in rows:
            last = row.id
            if not wanted or row.topic in wanted:
                data = json.dumps({"object_id": row.object_id, "revision": row.revision})
                yield f"id: {row.id}\nevent: {row.topic}\ndata: {data}\n\n"
                quiet = 0.0
        await asyncio.sleep(POLL_SECONDS)
        quiet += POLL_SECONDS
        if quiet >= HEARTBEAT_SECONDS:
            yield ": still here\n\n"
            quiet = 0.0


def _start(database: Database, last: int | None) -> tuple[int, bool]:
    """After which event to go on, and whether the client can't know what was before."""
    with database.read() as session:
        reset = last is not None and events.is_gap(session, last)
        return (events.last_id(session) if last is None or reset else last), reset


def _after(database: Database, last: int) -> list[events.Event]:
    with database.read() as session:
        return events.after(session, last)
