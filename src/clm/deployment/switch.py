"""A person's move of traffic, from the wish to the routes on disk. A boundary: HTTP and command line both call it.

It needs the database and the file system only: no worker, trainer, tracker or engine.
"""

import time
from dataclasses import dataclass

from clm.core.caller import Caller
from clm.core.database import Database
from clm.deployment.repository import get_deployment, history
from clm.deployment.service import act, record_rollback_ms
from clm.deployment.targets.targets import reconcile
from clm.settings import Settings


@dataclass(frozen=True)
class Moved:
    model: str
    champion: str
    revision: int
    milliseconds: float  # until routes.json told gateway and engine, which read it at every request


def move_traffic(
    database: Database,
    settings: Settings,
    caller: Caller,
    model: str,
    action: str,
    expected_revision: int | None = None,
    to: str | None = None,
    reason: str | None = None,
) -> Moved:
    """Does `clm.deployment.service.act`, commits, and tells serving. Raises what `act` raises."""
    start = time.perf_counter()
    with database.transaction() as session:
        rollout_id = get_deployment(session, model).rollout_id
        deployment = act(session, caller, model, action, expected_revision, to, reason)
        session.flush()
        rollout_id = rollout_id or history(session, model, 1)[0].id
    reconcile(database, settings)
    milliseconds = (time.perf_counter() - start) * 1000
    if action == "rollback":
        with database.transaction() as session:
            record_rollback_ms(session, rollout_id, milliseconds)
    return Moved(model, deployment.champion, deployment.revision, milliseconds)
