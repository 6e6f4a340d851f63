"""Models and tasks: what there is to keep current. Every stage may look here."""

import re

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog.tables import Model, Task
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.core.ids import new_id
from clm.errors import Conflict, InvalidInput, unknown_name
from clm.policies import ModelPolicy
from clm.records import Metric

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
METRICS: tuple[Metric, ...] = ("exact_match", "token_f1", "perplexity")


def check_name(kind: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} can't name a {kind}: use 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit.",
            field="name",
        )
    return name


def create_model(
    session: Session,
    caller: Caller,
    *,
    name: str,
    base_reference: str,
    base_hash: str,
    policy: ModelPolicy,
    demo: bool = False,
) -> Model:
    check_name("model", name)
    if session.get(Model, name):
        raise Conflict(f"There is a model named {name!r} already; choose another name.")
    model = Model(
        name=name,
        base_reference=base_reference,
        base_hash=base_hash,
        policy=policy.model_dump(mode="json"),
        revision=1,
        demo=demo,
        created_at=now(),
    )
    session.add(model)
    audit(session, caller, "model.create", "model", name, after={"base": base_reference, "base_hash": base_hash})
    publish(session, "model", name, 1)
    return model


def get_model(session: Session, name: str) -> Model:
    model = session.get(Model, name)
    if model is None:
        raise unknown_name("model", name, [m.name for m in list_models(session)])
    return model


def list_models(session: Session) -> list[Model]:
    return list(session.scalars(select(Model).order_by(Model.created_at, Model.name)))


def only_model(session: Session) -> str:
    """The one model there is, for commands that leave `--model` out."""
    names = [m.name for m in list_models(session)]
    if len(names) != 1:
        known = ", ".join(names) or "none yet; make one with `clm model create NAME`"
        raise InvalidInput(f"Say which model with --model. Known: {known}.", field="model")
    return names[0]


def policy_of(model: Model) -> ModelPolicy:
    return ModelPolicy.model_validate(model.policy)


def add_task(
    session: Session,
    caller: Caller,
    *,
    model: str,
    name: str,
    metric: Metric = "exact_match",
    margin: float | None = None,
    holdout: float = 0.2,
    description: str = "",
) -> Task:
    get_model(session, model)
    check_name("task", name)
    if metric not in METRICS:
        raise unknown_name("metric", metric, list(METRICS))
    if margin is not None and not 0 < margin < 1:
        raise InvalidInput(f"The margin is a loss in score points between 0 and 1, such as 0.05; got {margin}.")
    if not 0 <= holdout <= 0.9:
        raise InvalidInput(f"The held-out share lies between 0 and 0.9; got {holdout}.", field="holdout")
    if any(task.name == name for task in list_tasks(session, model)):
        raise Conflict(f"Model {model!r} has a task named {name!r} already.")
    task = Task(
        id=new_id("tsk"),
        model=model,
        name=name,
        description=description,
        metric=metric,
        margin=margin,
        holdout=holdout,
        suite_open=True,
        created_at=now(),
    )
    session.add(task)
    audit(session, caller, "task.add", "task", f"{model}/{name}", after={"metric": metric, "margin": margin})
    publish(session, "task", f"{model}/{name}", 1)
    return task


def list_tasks(session: Session, model: str) -> list[Task]:
    return list(session.scalars(select(Task).where(Task.model == model).order_by(Task.created_at, Task.name)))


def get_task(session: Session, model: str, name: str) -> Task:
    get_model(session, model)
    tasks = list_tasks(session, model)
    for task in tasks:
        if task.name == name:
            return task
    raise unknown_name(f"task of model {model!r}", name, [t.name for t in tasks])


def close_suite(session: Session, model: str, name: str) -> None:
    """From a task's first update on, new rows no longer slip into its suite by themselves."""
    get_task(session, model, name).suite_open = False
