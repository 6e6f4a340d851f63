"""HTTP of what several stages do together."""

import os
from pathlib import PurePath
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from clm.catalog.service import check_name, check_removable, get_model, get_task, list_models, mark_removed
from clm.core.caller import Caller
from clm.core.database import Database
from clm.core.http import CallerDep, DatabaseDep, SettingsDep
from clm.core.paging import Cursor, Limit, cut
from clm.deployment.repository import get_deployment
from clm.deployment.targets.targets import reconcile
from clm.errors import Conflict, InvalidInput
from clm.ingest.spool import Spooled
from clm.ingest.upload import receive
from clm.operations import service as operations
from clm.operations.schemas import OperationOut
from clm.policies import ModelPolicy
from clm.registry import service as registry
from clm.settings import Settings
from clm.stages import auth, rolling_out
from clm.stages.replaying import contents
from clm.stages.schemas import MemoryList, MemoryOut, ModelIn, RolloutIn, RolloutStarted

router = APIRouter(prefix="/api/v1", tags=["stages"])
OPTIONAL_BODY = {"requestBody": {"content": {"application/jsonl": {"schema": {"type": "string", "format": "binary"}}}}}


@router.get("/models/{name}/memory", dependencies=auth.READ)
def show_memory(
    name: str,
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    task: Annotated[str | None, Query(description="none: all tasks")] = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> MemoryList:
    """The replay memories that the champion pins, with their rows as they are in the dataset now."""
    with database.read() as session:
        get_model(session, name)
        if task is not None:
            get_task(session, name, task)
        memories = contents(session, request.app.state.store, settings.paths, name, task)
    page, following = cut(memories, lambda each: each["task"], cursor, limit)
    return MemoryList(items=[MemoryOut.model_validate(each) for each in page], next_cursor=following)


@router.post("/models", status_code=202, dependencies=auth.MAKE)
def make_model(body: ModelIn, database: DatabaseDep, caller: CallerDep) -> OperationOut:
    """Begins to make a model: its base is imported and checked, and becomes the first release, which serves. The worker
    does it; how it stands says `/operations/{id}`."""
    check_name("model", body.name)
    request = {"base": body.base, "policy": (body.policy or ModelPolicy()).model_dump(mode="json")}
    with database.transaction() as session:
        if any(model.name == body.name for model in list_models(session)):
            raise Conflict(f"There is a model named {body.name!r} already; choose another name.")
        operation = operations.ask(session, caller, kind="make-model", subject=body.name, request=request)
        session.flush()
        return OperationOut.model_validate(operation)


@router.post("/models/{name}/tasks/{task}:impact", status_code=202, openapi_extra=OPTIONAL_BODY,
             dependencies=auth.MEASURE)  # fmt: skip
async def measure_impact(
    name: str,
    task: str,
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    caller: CallerDep,
    change: Annotated[Literal["add", "remove"], Query(description="what is asked about")] = "add",
    file_name: Annotated[str, Query(min_length=1, max_length=200)] = "rows.jsonl",
) -> OperationOut:
    """Begins to measure what adding the task, or taking its expert out, does to every other task; applies nothing.

    The body may be a file with rows of a task to come.
    """
    body = await receive(request, settings)
    return await run_in_threadpool(_ask_impact, database, settings, caller, name, task, change, file_name, body)


def _ask_impact(
    database: Database, settings: Settings, caller: Caller, name: str, task: str, change: str, file_name: str,
    body: Spooled,
) -> OperationOut:  # fmt: skip
    try:
        if body.size and change == "remove":
            raise InvalidInput("Rows belong to a task to come; leave them out to ask about a removal.", field="change")
        file = {"name": f"rows{PurePath(file_name).suffix}", "sha256": body.sha256} if body.size else None
        request = {"model": name, "task": task, "removal": change == "remove", "file": file}
        with database.transaction() as session:
            get_model(session, name)
            if file is None:
                get_task(session, name, task)
            check_name("task", task)
            operation = operations.ask(session, caller, kind="impact", subject=f"{name}/{task}", request=request)
            session.flush()
            if file is not None:
                folder = settings.paths.brought(operation.id)
                folder.mkdir(parents=True, exist_ok=True)
                os.replace(body.path, folder / file["name"])
            return OperationOut.model_validate(operation)
    finally:
        body.drop()


@router.delete("/models/{name}/tasks/{task}", status_code=204, dependencies=auth.REMOVE)
def remove_task(
    name: str,
    task: str,
    database: DatabaseDep,
    caller: CallerDep,
    force: Annotated[bool, Query(description="also a protected task")] = False,
    dry_run: Annotated[bool, Query(description="only check that it may be removed")] = False,
) -> None:
    """Removes a task that no expert serves; its rows and history stay. One with an expert needs an update of the kind
    `remove`, which proves that the others lose nothing."""
    with database.transaction() as session:
        check_removable(session, name, task, force=force)
        if dry_run:
            return
        champion = registry.get(session, get_deployment(session, name).champion)
        if task in champion.composition.tasks:
            raise Conflict(
                f"Task {task!r} has an expert in v{champion.number}, which serves. Start an update of the kind "
                f"`remove` to take it out (`clm task remove {task}`)."
            )
        mark_removed(session, caller, name, task)


@router.post("/deployments/{model}:start", status_code=201, dependencies=auth.ROLL_OUT)
def start_rollout(
    model: str, body: RolloutIn, database: DatabaseDep, settings: SettingsDep, caller: CallerDep
) -> RolloutStarted:
    """Begins to move the model's traffic to a release that is registered already; the worker moves it on."""
    with database.transaction() as session:
        row = rolling_out.begin_rollout(session, caller, model, body.release, body.kind)
        started = RolloutStarted(id=row.id, model=model, release_id=row.release_id, kind=row.kind)
    reconcile(database, settings)
    return started
