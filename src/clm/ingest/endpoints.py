"""HTTP of ingest: rows in, and what became of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from clm.catalog.service import get_model
from clm.core.http import CallerDep, DatabaseDep, SettingsDep
from clm.core.paging import Cursor, Limit, cut, unknown_cursor
from clm.ingest import auth, conflicts, dropping, holding, repository, service
from clm.ingest.batch import RecordStore
from clm.ingest.intake import BatchSpec, Intake
from clm.ingest.schemas import (
    BatchOut,
    BatchPage,
    ConflictOut,
    ConflictPage,
    DatasetVersionOut,
    DatasetVersionPage,
    DropIn,
    DropOut,
    DroppedList,
    DroppedRowOut,
    HeldDecisionIn,
    HeldList,
    HeldOut,
    HistoryOut,
    RefusalOut,
    RefusalPage,
    ReportOut,
    ResolveAllIn,
    ResolvedOut,
    ResolveIn,
    SourceIn,
    SourceList,
    SourceOut,
    VersionOut,
)
from clm.ingest.sources import service as sources
from clm.ingest.upload import file_of_form, receive
from clm.records import IngestReport

router = APIRouter(prefix="/api/v1", tags=["ingest"])
_FILE = {"type": "string", "format": "binary"}
_BODY = {"requestBody": {"required": True, "content": {
    "application/jsonl": {"schema": _FILE},
    "text/csv": {"schema": _FILE},
    "application/vnd.apache.parquet": {"schema": _FILE},
    "multipart/form-data": {"schema": {"type": "object", "properties": {"file": _FILE}}},
}}}  # fmt: skip


class _Store(RecordStore, dropping.Rows, Protocol):
    """What the endpoints need of clm.store.store.Store."""

    def versions(self, model: str) -> Sequence[Any]: ...


def get_store(request: Request) -> _Store:
    return request.app.state.store


StoreDep = Annotated[_Store, Depends(get_store)]


@router.post("/records", response_model=ReportOut, openapi_extra=_BODY, dependencies=auth.WRITE)
async def post_records(
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    caller: CallerDep,
    store: StoreDep,
    model: str,
    task: str,
    suite: Annotated[bool, Query(description="held-out rows: they are for evaluation, never for training")] = False,
    source: Annotated[str, Query(min_length=1, max_length=200)] = "http",
    key: Annotated[
        str | None,
        Query(max_length=400, description="columns that say what a row is about, with commas; none: its prompt"),
    ] = None,
    format: Annotated[str | None, Query(description="jsonl | csv | parquet; none: by content type or name")] = None,
    file_name: Annotated[str | None, Query(max_length=400, description="of a body that is no form")] = None,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> IngestReport:
    """Takes rows. Bad rows are refused one by one, the others kept; the same key and body again changes nothing."""
    await run_in_threadpool(service.check_target, database, model, task)
    content_type = request.headers.get("content-type")
    body, name = await receive(request, settings), file_name
    if (content_type or "").lower().startswith("multipart/form-data"):
        body, name, content_type = await run_in_threadpool(file_of_form, body, content_type or "", settings)

    def take() -> IngestReport:
        spec = BatchSpec(model, task, source, suite, key, name, content_type, format, idempotency_key)
        return service.take(Intake(database, store, settings, caller), body, spec)

    return await run_in_threadpool(take)


@router.get("/batches", response_model=BatchPage, dependencies=auth.READ)
def list_batches(
    database: DatabaseDep,
    model: str | None = None,
    task: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> BatchPage:
    with database.read() as session:
        rows = repository.list_batches(session, model=model, task=task, before=cursor, limit=limit + 1)
    items = [BatchOut.model_validate(row) for row in rows[:limit]]
    return BatchPage(items=items, next_cursor=items[-1].id if len(rows) > limit else None)


@router.get("/batches/{batch_id}", response_model=BatchOut, dependencies=auth.READ)
def get_batch(database: DatabaseDep, batch_id: str) -> BatchOut:
    with database.read() as session:
        return BatchOut.model_validate(repository.get_batch(session, batch_id))


@router.get("/batches/{batch_id}/refusals", response_model=RefusalPage, dependencies=auth.READ)
def list_refusals(database: DatabaseDep, batch_id: str, cursor: str = "0", limit: Limit = 100) -> RefusalPage:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise unknown_cursor()
    with database.read() as session:
        repository.get_batch(session, batch_id)
        rows = repository.refusals(session, batch_id, after=int(cursor), limit=limit + 1)
    items = [RefusalOut.model_validate(row) for row in rows[:limit]]
    return RefusalPage(items=items, next_cursor=str(rows[limit - 1].id) if len(rows) > limit else None)


@router.get("/sources", response_model=SourceList, dependencies=auth.READ)
def list_sources(database: DatabaseDep, cursor: Cursor = None, limit: Limit = 200) -> SourceList:
    with database.read() as session:
        page, following = cut(repository.list_sources(session), lambda source: source.id, cursor, limit)
        return SourceList(items=[SourceOut.model_validate(source) for source in page], next_cursor=following)


@router.post("/sources", response_model=SourceOut, status_code=201, dependencies=auth.SOURCES)
def add_source(database: DatabaseDep, caller: CallerDep, body: SourceIn) -> SourceOut:
    """Takes rows in from there from now on. Adding the same source again changes nothing."""
    with database.transaction() as session:
        return SourceOut.model_validate(sources.add(session, caller, **body.model_dump()))


@router.post("/models/{name}/drops", response_model=DropOut, dependencies=auth.WRITE)
def drop_rows(name: str, body: DropIn, database: DatabaseDep, caller: CallerDep, store: StoreDep) -> DropOut:
    """Takes rows out of updates, memories and suites from now on, or takes that back. They stay in the dataset."""
    # A reading session drops whatever was changed in it.
    with database.read() if body.dry_run else database.transaction() as session:
        ids = body.record_ids
        if body.batch_id is not None:
            ids = dropping.rows_of(session, store, name, body.batch_id, body.suite)
        done = dropping.drop(session, store, caller, model=name, record_ids=ids, suite=body.suite, reason=body.reason,
                             undo=body.undo)  # fmt: skip
    return DropOut.model_validate({**vars(done), "dry_run": body.dry_run})


@router.get("/models/{name}/drops", response_model=DroppedList, dependencies=auth.READ)
def list_dropped(
    name: str,
    database: DatabaseDep,
    undone: Annotated[bool, Query(description="also what was taken back")] = False,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> DroppedList:
    """Oldest first."""
    with database.read() as session:
        get_model(session, name)
        page, following = cut(dropping.dropped_rows(session, name, undone=undone), lambda row: row.id, cursor, limit)
        return DroppedList(items=[DroppedRowOut.model_validate(row) for row in page], next_cursor=following)


@router.get("/records/history", response_model=HistoryOut, dependencies=auth.READ)
def record_history(
    database: DatabaseDep,
    store: StoreDep,
    model: str,
    of: Annotated[str, Query(min_length=1, max_length=20_000, description="a key, a prompt or a record id")],
    cursor: Cursor = None,
    limit: Limit = 200,
) -> HistoryOut:
    """Every version of what a key or a prompt has as its answer: what holds, and what superseded what."""
    with database.read() as session:
        get_model(session, model)
        ruled = conflicts.rulings(session, model)
    versions = store.history(model, of, ruled)
    page, following = cut(versions, lambda row: f"{row.task}/{row.record_id}", cursor, limit)
    return HistoryOut(items=[VersionOut.model_validate(row) for row in page], next_cursor=following)


@router.get("/conflicts", response_model=ConflictPage, dependencies=auth.READ)
def list_conflicts(
    database: DatabaseDep,
    model: str | None = None,
    task: str | None = None,
    state: Annotated[Literal["open", "resolved", "all"], Query()] = "open",
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ConflictPage:
    """Answers that contradict each other, side by side, oldest first."""
    with database.read() as session:
        rows = conflicts.conflicts(session, model=model, task=task, state=None if state == "all" else state,
                                   after=cursor, limit=limit + 1)  # fmt: skip
    items = [ConflictOut.model_validate(row) for row in rows[:limit]]
    return ConflictPage(items=items, next_cursor=items[-1].id if len(rows) > limit else None)


@router.get("/conflicts/{conflict_id}", response_model=ConflictOut, dependencies=auth.READ)
def get_conflict(database: DatabaseDep, conflict_id: str) -> ConflictOut:
    with database.read() as session:
        return ConflictOut.model_validate(conflicts.get(session, conflict_id))


@router.post("/conflicts/{conflict_id}:resolve", response_model=ConflictOut, dependencies=auth.DECIDE)
def resolve_conflict(conflict_id: str, body: ResolveIn, database: DatabaseDep, caller: CallerDep) -> ConflictOut:
    """Says which answer is right. It counts from the next update on, and can be decided anew."""
    with database.transaction() as session:
        conflicts.get(session, conflict_id)
        (row,) = conflicts.resolve(session, caller, body.decision, reference=conflict_id)
        return ConflictOut.model_validate(row)


@router.post("/conflicts:resolve", response_model=ResolvedOut, dependencies=auth.DECIDE)
def resolve_conflicts(body: ResolveAllIn, database: DatabaseDep, caller: CallerDep) -> ResolvedOut:
    """The same decision for all open ones of a model, or of one of its batches."""
    with database.transaction() as session:
        get_model(session, body.model)
        rows = conflicts.resolve(session, caller, body.decision, reference=body.batch_id, model=body.model)
        return ResolvedOut(items=[ConflictOut.model_validate(row) for row in rows])


@router.get("/models/{name}/held", dependencies=auth.READ)
def list_held(
    name: str,
    database: DatabaseDep,
    every: Annotated[bool, Query(description="also what was released or discarded")] = False,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> HeldList:
    """Batches that no update learns from, because an update that did was rejected; with the gate's sentence."""
    states = ("held", "discarded", "released") if every else ("held",)
    with database.read() as session:
        get_model(session, name)
        page, following = cut(
            repository.held_batches(session, model=name, states=states), lambda row: row.id, cursor, limit
        )
        return HeldList(items=[HeldOut.model_validate(row) for row in page], next_cursor=following)


@router.post("/held/{reference}:decide", dependencies=auth.DECIDE)
def decide_held(reference: str, body: HeldDecisionIn, database: DatabaseDep, caller: CallerDep) -> HeldList:
    """Decides a held batch, or all that a rejected update (its id) had learned from."""
    # A reading session drops whatever was changed in it.
    with database.read() if body.dry_run else database.transaction() as session:
        rows = holding.decide(session, caller, reference, body.decision)
        return HeldList(items=[HeldOut.model_validate(row) for row in rows])


@router.get("/models/{name}/versions", dependencies=auth.READ)
def list_versions(
    name: str, database: DatabaseDep, store: StoreDep, cursor: Cursor = None, limit: Limit = 100
) -> DatasetVersionPage:
    """Every version of the model's tables, newest first: one per accepted batch."""
    with database.read() as session:
        get_model(session, name)
    page, following = cut(store.versions(name), lambda row: f"{row.table}-{row.version}", cursor, limit)
    return DatasetVersionPage(items=[DatasetVersionOut.model_validate(row) for row in page], next_cursor=following)
