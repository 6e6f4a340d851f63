"""HTTP of what several stages do together."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from clm.catalog.service import check_name, get_model, get_task, list_models
from clm.core.http import CallerDep, DatabaseDep, SettingsDep
from clm.deployment.targets.targets import reconcile
from clm.errors import Conflict
from clm.operations import service as operations
from clm.operations.schemas import OperationOut
from clm.policies import ModelPolicy
from clm.stages import auth, rolling_out
from clm.stages.replaying import contents
from clm.stages.schemas import MemoryList, MemoryOut, ModelIn, RolloutIn, RolloutStarted

router = APIRouter(prefix="/api/v1", tags=["stages"])


@router.get("/models/{name}/memory", dependencies=auth.READ)
def show_memory(
    name: str,
    request: Request,
    database: DatabaseDep,
    settings: SettingsDep,
    task: Annotated[str | None, Query(description="none: all tasks")] = None,
) -> MemoryList:
    """The replay memories that the champion pins, with their rows as they are in the dataset now."""
    with database.read() as session:
        get_model(session, name)
        if task is not None:
            get_task(session, name, task)
        found = contents(session, request.app.state.store, settings.paths, name, task)
    return MemoryList(items=[MemoryOut.model_validate(each) for each in found])


@router.post("/models", status_code=202, dependencies=auth.MAKE)
def make_model(body: ModelIn, database: DatabaseDep, caller: CallerDep) -> OperationOut:
    """Begins to make a model: its base is imported and checked, and becomes the first release, which serves. The worker
    does it; how it stands says `/operations/{id}`."""
    check_name("model", body.name)
    wish = {"base": body.base, "policy": (body.policy or ModelPolicy()).model_dump(mode="json")}
    with database.transaction() as session:
        if any(model.name == body.name for model in list_models(session)):
            raise Conflict(f"There is a model named {body.name!r} already; choose another name.")
        operation = operations.ask(session, caller, kind="make-model", subject=body.name, wish=wish)
        session.flush()
        return OperationOut.model_validate(operation)


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
