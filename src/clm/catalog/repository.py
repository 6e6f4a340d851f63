"""SQL of models, tasks and policies."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.catalog.tables import Model, PolicyRevision, Task


def models(session: Session) -> list[Model]:
    """The first one first."""
    return list(session.scalars(select(Model).order_by(Model.created_at, Model.name)))


def tasks(session: Session, model: str, *, removed: bool) -> list[Task]:
    """In the order in which they were added; `removed`: also those that were taken away."""
    query = select(Task).where(Task.model == model).order_by(Task.created_at, Task.name)
    return list(session.scalars(query if removed else query.where(Task.removed_at.is_(None))))


def policy_revisions(session: Session, model: str) -> list[PolicyRevision]:
    """Oldest first."""
    query = select(PolicyRevision).where(PolicyRevision.model == model).order_by(PolicyRevision.revision)
    return list(session.scalars(query))
