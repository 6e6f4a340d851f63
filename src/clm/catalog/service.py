"""Models and tasks: what there is to keep current. Every stage may look here."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog import repository
from clm.catalog.tables import Model, Task
from clm.core.caller import Caller
from clm.core.clock import iso, now
from clm.core.events import publish
from clm.core.ids import new_id
from clm.errors import Conflict, InvalidInput, NotFound, unknown_name
from clm.facts import Exam
from clm.policies import ModelPolicy
from clm.records import Metric

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
METRICS: tuple[Metric, ...] = get_args(Metric)
EXAMS: tuple[Exam, ...] = get_args(Exam)
EDITABLE = ("margin", "holdout", "exam", "description", "group", "weight", "protected", "watched")


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
    return repository.models(session)


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
    exam: Exam = "auto",
    description: str = "",
    group: str | None = None,
    weight: float = 1.0,
    protected: bool = False,
    watched: bool = False,
) -> Task:
    """A name that was removed comes back with what is said now; its data and its history are still there."""
    get_model(session, model)
    check_name("task", name)
    if metric not in METRICS:
        raise unknown_name("metric", metric, list(METRICS))
    said = {"margin": margin, "holdout": holdout, "exam": exam, "description": description, "group": group,
            "weight": weight, "protected": protected, "watched": watched}  # fmt: skip
    _check_fields(said)
    known = next((task for task in list_tasks(session, model, removed=True) if task.name == name), None)
    if known is not None and known.removed_at is None:
        raise Conflict(f"Model {model!r} has a task named {name!r} already.")
    task = known or Task(id=new_id("tsk"), model=model, name=name, created_at=now())
    task.metric, task.removed_at = metric, None
    _set_fields(task, said)
    session.add(task)
    audit(session, caller, "task.add", "task", f"{model}/{name}", after={"metric": metric, **_shown(task)})
    publish(session, "task", f"{model}/{name}", 1)
    return task


def edit_task(session: Session, caller: Caller, model: str, name: str, changes: Mapping[str, Any]) -> Task:
    """Changes some of `EDITABLE`. Raises InvalidInput for a protected task whose margin would get wider."""
    task = get_task(session, model, name)
    unknown = sorted(set(changes) - set(EDITABLE))
    if unknown or not changes:
        raise InvalidInput(
            f"Say what to change about task {name!r}: {', '.join(EDITABLE)}.", field="".join(unknown[:1])
        )
    _check_fields(changes)
    before = _shown(task)
    if task.protected and "margin" in changes:
        usual = policy_of(get_model(session, model)).gate.margin
        held, asked = task.margin or usual, changes["margin"] or usual
        if asked > held:
            raise InvalidInput(
                f"Task {name!r} is protected: its margin stays at {held:g} or below. Take the protection away first "
                f"(`clm task edit {name} --no-protected`), and then widen it.",
                field="margin",
            )
    _set_fields(task, changes)
    audit(session, caller, "task.edit", "task", f"{model}/{name}", before=before, after=_shown(task))
    publish(session, "task", f"{model}/{name}")
    return task


def check_removable(session: Session, model: str, name: str, *, force: bool = False) -> Task:
    """The task. Raises Conflict where it is protected, unless forced."""
    task = get_task(session, model, name)
    if task.protected and not force:
        raise Conflict(
            f"Task {name!r} of model {model!r} is protected and is not removed. Say --force if you mean it, or take "
            f"the protection away: clm task edit {name} --no-protected."
        )
    return task


def mark_removed(session: Session, caller: Caller, model: str, name: str) -> None:
    """Hides a task that no longer serves; rows, suite, scores and audit stay. Again: nothing happens."""
    task = next(t for t in list_tasks(session, model, removed=True) if t.name == name)
    if task.removed_at is None:
        task.removed_at = now()
        audit(session, caller, "task.remove", "task", f"{model}/{name}", before=_shown(task))
        publish(session, "task", f"{model}/{name}")


def list_tasks(session: Session, model: str, *, removed: bool = False) -> list[Task]:
    """In the order in which they were added; `removed`: also those that were taken away."""
    return repository.tasks(session, model, removed=removed)


def get_task(session: Session, model: str, name: str) -> Task:
    get_model(session, model)
    tasks = list_tasks(session, model, removed=True)
    for task in tasks:
        if task.name == name and task.removed_at is None:
            return task
        if task.name == name and task.removed_at is not None:
            at = iso(task.removed_at)[:10]
            raise NotFound(
                f"Task {name!r} of model {model!r} was removed on {at}. `clm task add {name}` brings it back."
            )
    raise unknown_name(f"task of model {model!r}", name, [t.name for t in tasks if t.removed_at is None])


def _check_fields(said: Mapping[str, Any]) -> None:
    margin, weight, group = said.get("margin"), said.get("weight", 1.0), said.get("group")
    holdout, exam = said.get("holdout", 0.0), said.get("exam", "auto")
    if not 0 <= holdout <= 0.9:
        raise InvalidInput(f"The held-out share lies between 0 and 0.9; got {holdout}.", field="holdout")
    if exam not in EXAMS:
        raise unknown_name("kind of exam", exam, list(EXAMS))
    if margin is not None and not 0 < margin < 1:
        raise InvalidInput(f"The margin is a loss in score points between 0 and 1, such as 0.05; got {margin}.")
    if not 0 < weight <= 1000:  # NaN fails this too
        raise InvalidInput(f"A task's weight lies above 0 and at 1000 or below; got {weight}.", field="weight")
    if group:
        check_name("group", group)


def _set_fields(task: Task, said: Mapping[str, Any]) -> None:
    for field, value in said.items():
        setattr(task, field, (value or None) if field == "group" else value)


def _shown(task: Task) -> dict[str, Any]:
    return {field: getattr(task, field) for field in EDITABLE if field != "description"}


def close_slice(session: Session, model: str, name: str) -> int:
    """Closes the open slice of a task's suite and returns its number: what is held out later is of the next one."""
    task = get_task(session, model, name)
    task.open_slice += 1
    return task.open_slice - 1
