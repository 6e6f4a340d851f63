"""Deployments and rollouts in the database."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.deployment.tables import Deployment, RolloutRow
from clm.errors import NotFound


def get_deployment(session: Session, model: str) -> Deployment:
    deployment = session.get(Deployment, model)
    if deployment is None:
        known = [d.model for d in list_deployments(session)]
        listed = f"Deployed: {', '.join(known)}." if known else "No model is deployed yet."
        raise NotFound(f"Model {model!r} has no deployment. {listed}")
    return deployment


def list_deployments(session: Session) -> list[Deployment]:
    return list(session.scalars(select(Deployment).order_by(Deployment.model)))


def get_rollout(session: Session, rollout_id: str) -> RolloutRow:
    rollout = session.get(RolloutRow, rollout_id)
    if rollout is None:
        raise NotFound(f"There is no rollout {rollout_id!r}.")
    return rollout


def rollout_of_update(session: Session, update_id: str) -> RolloutRow | None:
    return session.scalar(select(RolloutRow).where(RolloutRow.update_id == update_id))


def history(session: Session, model: str, limit: int = 50) -> list[RolloutRow]:
    """Newest first."""
    query = select(RolloutRow).where(RolloutRow.model == model).order_by(RolloutRow.id.desc()).limit(limit)
    return list(session.scalars(query))


def rollouts_under_way(session: Session) -> list[RolloutRow]:
    """What the worker ticks."""
    query = select(RolloutRow).where(RolloutRow.finished_at.is_(None)).order_by(RolloutRow.id)
    return list(session.scalars(query))


def served_before(session: Session, model: str) -> list[str]:
    """Releases that were champion once, newest first: where a rollback may go."""
    query = select(RolloutRow).where(RolloutRow.model == model).order_by(RolloutRow.id.desc())
    served: list[str] = []
    for row in session.scalars(query):
        served += [row.release_id, row.baseline] if row.state == "promoted" else [row.baseline]
    return list(dict.fromkeys(served))
