"""A model's tasks with how much data each has."""

from sqlalchemy.orm import Session

from clm.catalog.schemas import TaskOut
from clm.catalog.service import get_model, list_tasks
from clm.ingest.conflicts import pins
from clm.store.store import Store
from clm.views.schemas import TaskRow


def tasks_shown(session: Session, store: Store, model: str) -> list[TaskRow]:
    """In the order in which they were added."""
    get_model(session, model)
    snapshot = store.snapshot(model, **pins(session, model))
    return [
        TaskRow(
            **TaskOut.model_validate(task).model_dump(),
            rows=snapshot.counts.get(task.name, 0),
            suite=snapshot.suites.get(task.name, 0),
        )
        for task in list_tasks(session, model)
    ]
