"""Enough new rows of a task."""

from clm.catalog import service as catalog
from clm.duties.signals.signal import Signal, Watched
from clm.ingest import repository as batches
from clm.ingest.conflicts import pins
from clm.policies import TriggerPolicy
from clm.trigger.policy import Decision, by_volume
from clm.updates import service as updates


class Volume(Signal):
    def look(self, at: Watched) -> dict[str, Decision]:
        policy = catalog.policy_of(at.model).trigger
        if policy.volume is None:
            return {}
        return {task: self._decide(at, task, policy, policy.volume) for task in at.tasks}

    def _decide(self, at: Watched, task: str, policy: TriggerPolicy, volume: int) -> Decision:
        """Of what came in counts what could be trained on: no row that was dropped, is undecided or no longer holds."""
        model, busy = at.model.name, task in at.busy
        came = batches.batches_since(at.session, model, task, *updates.seen_until(at.session, model, task))
        rows = sum(came.values())
        if rows >= volume and not busy:
            rows = at.store.trainable(model, task, came, **pins(at.session, model))
        return by_volume(policy, rows, busy)
