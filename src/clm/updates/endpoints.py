from typing import Annotated

from fastapi import APIRouter, Query

from clm.catalog.service import check_removable
from clm.core.http import CallerDep, DatabaseDep, SettingsDep
from clm.core.paging import Cursor, Limit
from clm.updates import auth, log, repository, service
from clm.updates.schemas import LogLine, LogPage, UpdateIn, UpdateList, UpdateOut
from clm.updates.views import update_out

router = APIRouter(prefix="/api/v1/updates", tags=["updates"])


@router.get("", dependencies=auth.READ)
def list_updates(
    database: DatabaseDep,
    model: str | None = None,
    state: str | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> UpdateList:
    with database.read() as session:
        rows = repository.list_updates(session, model=model, state=state, before=cursor, limit=limit + 1)
        page = [update_out(session, row) for row in rows[:limit]]
    return UpdateList(items=page, next_cursor=page[-1].id if len(rows) > limit else None)


@router.post("", status_code=201, dependencies=auth.WRITE)
def start_update(body: UpdateIn, database: DatabaseDep, caller: CallerDep) -> UpdateOut:
    with database.transaction() as session:
        if body.kind == "remove":
            check_removable(session, body.model, body.task, force=bool(body.force))
        update = service.create_update(
            session, caller, model=body.model, task=body.task, rollout_kind=body.rollout, kind=body.kind
        )
        session.flush()
        return update_out(session, update)


@router.get("/{update_id}", dependencies=auth.READ)
def get_update(update_id: str, database: DatabaseDep) -> UpdateOut:
    with database.read() as session:
        return update_out(session, service.get_update(session, update_id))


@router.get("/{update_id}/log", dependencies=auth.READ)
def get_log(
    update_id: str, database: DatabaseDep, settings: SettingsDep, after: Annotated[int, Query(ge=0)] = 0
) -> LogPage:
    with database.read() as session:
        service.get_update(session, update_id)  # only a known id becomes part of a path
    lines = log.read(settings.paths.updates / update_id, after)
    return LogPage(lines=[LogLine.model_validate(line) for line in lines], next=lines[-1]["n"] if lines else after)


@router.post("/{update_id}:cancel", dependencies=auth.WRITE)
def cancel_update(update_id: str, database: DatabaseDep, caller: CallerDep) -> UpdateOut:
    with database.transaction() as session:
        return update_out(session, service.request_cancel(session, caller, update_id))
