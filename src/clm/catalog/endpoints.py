from fastapi import APIRouter
from sqlalchemy.orm import Session

from clm.catalog import service
from clm.catalog.schemas import ModelList, ModelOut, TaskEdit, TaskIn, TaskOut
from clm.catalog.tables import Model
from clm.core.http import CallerDep, DatabaseDep

router = APIRouter(prefix="/api/v1", tags=["models"])


def _out(session: Session, model: Model) -> ModelOut:
    tasks = [TaskOut.model_validate(task) for task in service.list_tasks(session, model.name)]
    return ModelOut(
        name=model.name,
        base_reference=model.base_reference,
        base_hash=model.base_hash,
        revision=model.revision,
        demo=model.demo,
        policy=service.policy_of(model),
        created_at=model.created_at,
        tasks=tasks,
    )


@router.get("/models")
def list_models(database: DatabaseDep) -> ModelList:
    with database.read() as session:
        return ModelList(items=[_out(session, model) for model in service.list_models(session)])


@router.get("/models/{name}")
def get_model(name: str, database: DatabaseDep) -> ModelOut:
    with database.read() as session:
        return _out(session, service.get_model(session, name))


@router.post("/models/{name}/tasks", status_code=201)
def add_task(name: str, body: TaskIn, database: DatabaseDep, caller: CallerDep) -> TaskOut:
    with database.transaction() as session:
        return TaskOut.model_validate(service.add_task(session, caller, model=name, **body.model_dump()))


@router.patch("/models/{name}/tasks/{task}")
def edit_task(name: str, task: str, body: TaskEdit, database: DatabaseDep, caller: CallerDep) -> TaskOut:
    changes = body.model_dump(exclude_unset=True)
    with database.transaction() as session:
        return TaskOut.model_validate(service.edit_task(session, caller, name, task, changes))
