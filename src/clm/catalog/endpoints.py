from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Response
from sqlalchemy.orm import Session

from clm.catalog import auth, service
from clm.catalog import policy as policies
from clm.catalog.schemas import (
    ModelList,
    ModelOut,
    PolicyOut,
    PolicyRevisionList,
    SettingChange,
    TaskEdit,
    TaskIn,
    TaskOut,
)
from clm.catalog.tables import Model
from clm.core.caller import Caller
from clm.core.database import Database
from clm.core.http import CallerDep, DatabaseDep
from clm.core.paging import Cursor, Limit, cut
from clm.errors import InvalidInput
from clm.policies import ModelPolicy
from clm.records import Json

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


@router.get("/models", dependencies=auth.READ)
def list_models(database: DatabaseDep, cursor: Cursor = None, limit: Limit = 200) -> ModelList:
    with database.read() as session:
        page, following = cut(service.list_models(session), lambda model: model.name, cursor, limit)
        return ModelList(items=[_out(session, model) for model in page], next_cursor=following)


@router.get("/models/{name}", dependencies=auth.READ)
def get_model(name: str, database: DatabaseDep) -> ModelOut:
    with database.read() as session:
        return _out(session, service.get_model(session, name))


@router.post("/models/{name}/tasks", status_code=201, dependencies=auth.WRITE)
def add_task(name: str, body: TaskIn, database: DatabaseDep, caller: CallerDep) -> TaskOut:
    with database.transaction() as session:
        return TaskOut.model_validate(service.add_task(session, caller, model=name, **body.model_dump()))


@router.patch("/models/{name}/tasks/{task}", dependencies=auth.WRITE)
def edit_task(name: str, task: str, body: TaskEdit, database: DatabaseDep, caller: CallerDep) -> TaskOut:
    changes = body.model_dump(exclude_unset=True)
    with database.transaction() as session:
        return TaskOut.model_validate(service.edit_task(session, caller, name, task, changes))


Settings = Annotated[dict[str, Any], Body(description="settings by section, see config/policy.yaml")]
IfMatch = Annotated[str | None, Header(description="the revision that was seen; another one is a conflict")]
Reason = Annotated[str | None, Query(max_length=500, description="goes into the audit")]
DryRun = Annotated[bool, Query(description="say what would change, and change nothing")]


@router.get("/models/{name}/policy", dependencies=auth.READ)
def get_policy(
    name: str,
    database: DatabaseDep,
    response: Response,
    revision: Annotated[int | None, Query(description="none: as it is now")] = None,
    against: Annotated[int | None, Query(description="compared with this revision; none: with the defaults")] = None,
) -> PolicyOut:
    """The policy, and what of it is not the default, or not as it was."""
    with database.read() as session:
        policy = policies.at(session, name, revision)
        before = ModelPolicy() if against is None else policies.at(session, name, against)
        number = revision or service.get_model(session, name).revision
    response.headers["ETag"] = f'"{number}"'
    return _policy_out(name, number, policy, policies.differences(before, policy))


@router.get("/models/{name}/policy/revisions", dependencies=auth.READ)
def list_policy_revisions(
    name: str, database: DatabaseDep, cursor: Cursor = None, limit: Limit = 200
) -> PolicyRevisionList:
    """Oldest first."""
    with database.read() as session:
        service.get_model(session, name)
        page, following = cut(policies.revisions(session, name), lambda row: row.revision, cursor, limit)
        return PolicyRevisionList.model_validate({"items": page, "next_cursor": following})


@router.put("/models/{name}/policy", dependencies=auth.WRITE)
def put_policy(
    name: str, body: Settings, database: DatabaseDep, caller: CallerDep, response: Response,
    if_match: IfMatch = None, dry_run: DryRun = False, reason: Reason = None,
) -> PolicyOut:  # fmt: skip
    """The whole policy: what is left out goes back to its default."""
    return _edit(database, replace(caller, reason=reason), name, body, response, if_match, dry_run, whole=True)


@router.patch("/models/{name}/policy", dependencies=auth.WRITE)
def patch_policy(
    name: str, body: Settings, database: DatabaseDep, caller: CallerDep, response: Response,
    if_match: IfMatch = None, dry_run: DryRun = False, reason: Reason = None,
) -> PolicyOut:  # fmt: skip
    """Some settings: what is left out stays as it is."""
    return _edit(database, replace(caller, reason=reason), name, body, response, if_match, dry_run, whole=False)


def _edit(
    database: Database, caller: Caller, name: str, values: Json, response: Response, if_match: str | None,
    dry_run: bool, *, whole: bool,
) -> PolicyOut:  # fmt: skip
    """`changed` says what is different from before."""
    # A reading session drops whatever was changed in it.
    with database.read() if dry_run else database.transaction() as session:
        model, changed = policies.edit(session, caller, name, values, whole=whole, revision=_revision(if_match))
        out = _policy_out(name, model.revision, service.policy_of(model), changed)
    response.headers["ETag"] = f'"{out.revision}"'
    return out


def _policy_out(name: str, revision: int, policy: ModelPolicy, changed: list[Json]) -> PolicyOut:
    settings = [SettingChange(**each) for each in changed]
    return PolicyOut(model=name, revision=revision, policy=policy, changed=settings)


def _revision(if_match: str | None) -> int | None:
    if if_match in (None, "*"):
        return None
    text = if_match.removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(f'If-Match holds the policy\'s revision, such as "3"; got {if_match}.', field="If-Match")
    return int(text)
