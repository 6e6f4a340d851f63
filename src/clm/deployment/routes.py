"""The routes as a projection of the deployments. A target is told them after each commit."""

from sqlalchemy.orm import Session

from clm.catalog.service import get_model, policy_of
from clm.deployment.repository import list_deployments
from clm.deployment.tables import RolloutRow
from clm.formats.routes import Route, Routes


def routes_of(session: Session) -> Routes:
    revision = 0
    models: dict[str, Route] = {}
    for deployment in sorted(list_deployments(session), key=lambda row: row.model):
        model = get_model(session, deployment.model)
        rollout = session.get(RolloutRow, deployment.rollout_id) if deployment.rollout_id else None
        generation = policy_of(model).generation
        revision += deployment.revision + model.revision
        models[deployment.model] = Route(
            model=deployment.model,
            base_hash=model.base_hash,
            champion=deployment.champion,
            previous=deployment.previous,
            candidate=deployment.candidate,
            candidate_share=deployment.candidate_share,
            max_new_tokens=generation.max_new_tokens,
            temperature=generation.temperature,
            candidate_state=None if rollout is None else "warming" if rollout.state == "waiting" else "live",
        )
    return Routes(revision, models)
