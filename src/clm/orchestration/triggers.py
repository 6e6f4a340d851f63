"""Looks at what came in and starts updates where the policy says so."""

from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.database import Database
from clm.deployment import repository as deployments
from clm.ingest import repository as batches
from clm.ingest.conflicts import pins
from clm.orchestration import service
from clm.registry import service as registry
from clm.store.store import Store
from clm.trigger.policy import by_parts, by_volume

WORKER = Caller("worker")


def fire(database: Database, store: Store) -> list[str]:
    """Queues an update for every task whose new rows reach the volume, or whose parts are to be made one; returns the
    new updates' ids.

    Of what came in counts what could be trained on: no row that was dropped, is undecided or no longer holds.
    """
    started: list[str] = []
    with database.read() as session:
        models = catalog.list_models(session)
    started += _consolidate(database, [model.name for model in models])
    for model in models:
        policy = catalog.policy_of(model).trigger
        if policy.volume is None:
            continue
        with database.transaction() as session:
            busy = {update.task for update in service.under_way(session, model.name)}
            for task in catalog.list_tasks(session, model.name):
                came = batches.batches_since(
                    session, model.name, task.name, *service.seen_until(session, model.name, task.name)
                )
                rows = sum(came.values())
                if rows >= policy.volume and task.name not in busy:
                    rows = store.trainable(model.name, task.name, came, **pins(session, model.name))
                decision = by_volume(policy, rows, task.name in busy)
                if decision.update:
                    update = service.create_update(
                        session, WORKER, model=model.name, task=task.name, trigger="volume", reason=decision.reason
                    )
                    started.append(update.id)
    return started


def _consolidate(database: Database, models: list[str]) -> list[str]:
    """Once per champion: what the gate did not let pass is not tried again until something else has changed."""
    started: list[str] = []
    for model in models:
        with database.transaction() as session:
            policy = catalog.policy_of(catalog.get_model(session, model)).parts
            champion = registry.get(session, deployments.get_deployment(session, model).champion)
            busy = {update.task for update in service.under_way(session, model)}
            known = {task.name for task in catalog.list_tasks(session, model)}
            for task in sorted(champion.composition.tasks & known):
                confused = champion.manifest["lineage"].get("confused", {}).get(task)
                decision = by_parts(policy, len(champion.composition.parts(task)), confused, task in busy)
                if decision.update and not service.tried_on(session, model, task, "consolidate", champion.release_id):
                    update = service.create_update(
                        session, WORKER, model=model, task=task, trigger="parts", reason=decision.reason,
                        kind="consolidate",
                    )  # fmt: skip
                    started.append(update.id)
    return started
