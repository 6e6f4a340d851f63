"""A deployment under test: a model with one release, and what moves its traffic."""

from datetime import timedelta
from typing import Any

from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.database import Database
from clm.deployment import repository, service
from clm.deployment.tables import Deployment
from clm.policies import RolloutPolicy
from clm.records import Composition, Release, TrafficWindow

CALLER = Caller("test")
POLICY = RolloutPolicy(steps=(10, 50), minimum_requests=20)
GOOD = TrafficWindow(40, 0, 100.0, 0, None)
BAD = TrafficWindow(40, 20, 100.0, 0, None)
NOTHING = TrafficWindow(0, 0, None, 0, None)


def release(letter: str) -> Release:
    return Release(letter * 64, "support", ord(letter) - 96, "", Composition("base", {}, None), None, {})


def begin(database: Database, letter: str, policy: RolloutPolicy = POLICY, update: str | None = None) -> str:
    with database.transaction() as session:
        return service.start_rollout(session, CALLER, release(letter), policy, update).id


def tick(
    database: Database,
    rollout: str,
    candidate: TrafficWindow = GOOD,
    ready: bool = True,
    error: str | None = None,
    later: float = 0,
) -> str | None:
    with database.transaction() as session:
        moment = now() + timedelta(seconds=later)
        analysis = service.tick(session, CALLER, rollout, candidate, GOOD, ready, moment, error)
        return analysis.verdict if analysis else None


def act(database: Database, action: str, **how: Any) -> Deployment:
    with database.transaction() as session:
        return service.act(session, CALLER, "support", action, **how)


def seen(database: Database) -> tuple[str, str | None, str | None, float]:
    with database.read() as session:
        row = repository.get_deployment(session, "support")
        short = [value and value[0] for value in (row.champion, row.previous, row.candidate)]
        return str(short[0]), short[1], short[2], row.candidate_share
