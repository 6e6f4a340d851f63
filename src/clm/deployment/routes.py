"""The routes: who serves what, as a projection of the deployments. A target is told them after each commit.

{"revision": 12, "models": {"support": {"base_hash", "champion", "previous", "candidate", "candidate_share",
 "candidate_state": "warming" | "live" | null, "generation": {"max_new_tokens", "temperature"}}}}
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.catalog.service import get_model, policy_of
from clm.deployment.tables import Deployment, RolloutRow


def routes_of(session: Session) -> dict[str, Any]:
    """The routes as a value. Its revision rises with every change of a deployment or a model's policy."""
    revision = 0
    models: dict[str, Any] = {}
    for deployment in session.scalars(select(Deployment).order_by(Deployment.model)):
        model = get_model(session, deployment.model)
        rollout = session.get(RolloutRow, deployment.rollout_id) if deployment.rollout_id else None
        revision += deployment.revision + model.revision
        models[deployment.model] = {
            "base_hash": model.base_hash,
            "champion": deployment.champion,
            "previous": deployment.previous,
            "candidate": deployment.candidate,
            "candidate_share": deployment.candidate_share,
            "candidate_state": None if rollout is None else "warming" if rollout.state == "waiting" else "live",
            "generation": policy_of(model).generation.model_dump(mode="json"),
        }
    return {"revision": revision, "models": models}
