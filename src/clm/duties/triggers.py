"""Looks at what came in and starts updates where the policy says so."""

from clm.catalog import service as catalog
from clm.catalog.tables import Model
from clm.core.caller import WORKER
from clm.deployment import repository as deployments
from clm.duties.duty import Duty
from clm.ingest import repository as batches
from clm.ingest.conflicts import pins
from clm.registry import service as registry
from clm.trigger.policy import by_parts, by_volume
from clm.updates import service as updates


class Triggers(Duty):
    def tick(self) -> list[str]:
        """Queues an update for every task whose new rows reach the volume, or whose parts are to be made one; returns
        the new updates' ids."""
        with self.on.database.read() as session:
            models = catalog.list_models(session)
        started = [update for model in models for update in self._consolidate(model.name)]
        return started + [update for model in models for update in self._by_volume(model)]

    def _by_volume(self, model: Model) -> list[str]:
        """Of what came in counts what could be trained on: no row that was dropped, is undecided or no longer holds."""
        policy = catalog.policy_of(model).trigger
        if policy.volume is None:
            return []
        started: list[str] = []
        with self.on.database.transaction() as session:
            busy = {update.task for update in updates.under_way(session, model.name)}
            for task in catalog.list_tasks(session, model.name):
                seen = updates.seen_until(session, model.name, task.name)
                came = batches.batches_since(session, model.name, task.name, *seen)
                rows = sum(came.values())
                if rows >= policy.volume and task.name not in busy:
                    rows = self.on.store.trainable(model.name, task.name, came, **pins(session, model.name))
                decision = by_volume(policy, rows, task.name in busy)
                if decision.update:
                    update = updates.create_update(
                        session, WORKER, model=model.name, task=task.name, trigger="volume", reason=decision.reason
                    )
                    started.append(update.id)
        return started

    def _consolidate(self, model: str) -> list[str]:
        """Once per champion: what the gate did not let pass is not tried again until something else has changed."""
        started: list[str] = []
        with self.on.database.transaction() as session:
            policy = catalog.policy_of(catalog.get_model(session, model)).parts
            champion = registry.get(session, deployments.get_deployment(session, model).champion)
            busy = {update.task for update in updates.under_way(session, model)}
            known = {task.name for task in catalog.list_tasks(session, model)}
            for task in sorted(champion.composition.tasks & known):
                confused = champion.manifest["lineage"].get("confused", {}).get(task)
                decision = by_parts(policy, len(champion.composition.parts(task)), confused, task in busy)
                if decision.update and not updates.tried_on(session, model, task, "consolidate", champion.release_id):
                    update = updates.create_update(
                        session, WORKER, model=model, task=task, trigger="parts", reason=decision.reason,
                        kind="consolidate",
                    )  # fmt: skip
                    started.append(update.id)
        return started
