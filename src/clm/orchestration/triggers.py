"""Looks at what came in and starts updates where the policy says so."""

from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.database import Database
from clm.ingest import repository as batches
from clm.orchestration import service
from clm.trigger.policy import by_volume

WORKER = Caller("worker")


def fire(database: Database) -> list[str]:
    """Queues an update for every task whose new rows reach the volume; returns the new updates' ids."""
    started: list[str] = []
    with database.read() as session:
        models = catalog.list_models(session)
    for model in models:
        policy = catalog.policy_of(model).trigger
        if policy.volume is None:
            continue
        with database.transaction() as session:
            busy = {update.task for update in service.under_way(session, model.name)}
            for task in catalog.list_tasks(session, model.name):
                since = service.last_update_at(session, model.name, task.name)
                rows = batches.accepted_since(session, model.name, task.name, since)
                decision = by_volume(policy, rows, task.name in busy)
                if decision.update:
                    update = service.create_update(
                        session, WORKER, model=model.name, task=task.name, trigger="volume", reason=decision.reason
                    )
                    started.append(update.id)
    return started
