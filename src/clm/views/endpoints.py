from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.encoders import jsonable_encoder

from clm.core.http import DatabaseDep, SettingsDep
from clm.core.paging import Cursor, Limit, cut
from clm.views import auth, service
from clm.views.lineage import trace
from clm.views.schemas import ExampleList, LedgerOut, Overview, SettingsOut, TaskList
from clm.views.suite import suite_shown
from clm.views.tasks import tasks_shown

router = APIRouter(prefix="/api/v1", tags=["overview"])


@router.get("/overview", dependencies=auth.READ)
def get_overview(database: DatabaseDep, model: str | None = None) -> Overview:
    """Everything that the home page shows, in one call."""
    with database.read() as session:
        return service.overview(session, model)


@router.get("/ledger", dependencies=auth.READ)
def get_ledger(database: DatabaseDep, model: str) -> LedgerOut:
    with database.read() as session:
        return service.ledger_out(session, model)


@router.get("/settings", dependencies=auth.READ)
def get_settings(settings: SettingsDep) -> SettingsOut:
    """This installation's settings as they are in force. Passwords in addresses are not shown."""
    return SettingsOut(items=service.settings_shown(settings))


@router.get("/lineage/{object_id}", dependencies=auth.READ)
def get_lineage(
    object_id: str,
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    model: Annotated[str | None, Query(description="whose release a number such as v2 names")] = None,
) -> dict[str, Any]:
    """From an answer, update or release down to its training rows; from a record up to what learned from it."""
    with database.read() as session:
        return jsonable_encoder(trace(session, settings, request.app.state.store, object_id, model))


@router.get("/models/{name}/tasks", dependencies=auth.READ)
def list_tasks(
    name: str, request: Request, database: DatabaseDep, cursor: Cursor = None, limit: Limit = 200
) -> TaskList:
    """The model's tasks, with how many rows and held-out examples each has."""
    with database.read() as session:
        page, following = cut(
            tasks_shown(session, request.app.state.store, name), lambda task: task.name, cursor, limit
        )
    return TaskList(items=list(page), next_cursor=following)


@router.get("/models/{name}/tasks/{task}/suite", dependencies=auth.READ)
def list_suite(
    name: str,
    task: str,
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> ExampleList:
    """The held-out examples that examine the task now, the newest slice first; taught prompts are asked beside them."""
    with database.read() as session:
        examples = suite_shown(session, settings, request.app.state.store, name, task)
    page, following = cut(examples, lambda example: example.record_id, cursor, limit)
    return ExampleList(items=list(page), next_cursor=following)
