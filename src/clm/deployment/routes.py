"""routes.json: what gateway and engine follow, so that serving needs no database.

It is a projection of the deployments, written after the commit that changed them. Whoever projects reads the database
again under a file lock, so the file always ends at the newest state, whatever the order in which two finish.

    {"revision": 12, "models": {"support": {"base_hash", "champion", "previous", "candidate", "candidate_share",
     "candidate_state": "warming" | "live" | null, "generation": {"max_new_tokens", "temperature"}}}}
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.catalog.service import get_model, policy_of
from clm.core.database import Database
from clm.core.files import read_json, write_json
from clm.core.locks import file_lock
from clm.deployment.tables import Deployment, RolloutRow
from clm.settings import Settings


def project_routes(database: Database, settings: Settings) -> dict[str, Any]:
    """Writes the routes as the database has them now, if they changed, and returns them. Call it after a commit."""
    with file_lock(settings.paths.run / "routes.lock"):
        with database.read() as session:
            routes = routes_of(session)
        if not settings.paths.routes.exists() or read_json(settings.paths.routes) != routes:
            write_json(settings.paths.routes, routes)
    return routes


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
