"""Looks for reasons to update, and queues the updates."""

from clm.catalog import service as catalog
from clm.core.caller import WORKER
from clm.duties.duty import Duty
from clm.duties.signals.signal import Signal, Watched
from clm.duties.signals.signals import SIGNALS
from clm.updates import service as updates


class Triggers(Duty):
    def tick(self) -> list[str]:
        """Asks every signal about every task; returns the new updates' ids."""
        with self.on.database.read() as session:
            models = [model.name for model in catalog.list_models(session)]
        return [
            update for model in models for name, signal in SIGNALS.items() for update in self._ask(model, name, signal)
        ]

    def _ask(self, model: str, name: str, signal: Signal) -> list[str]:
        started: list[str] = []
        with self.on.database.transaction() as session:
            tasks = [task.name for task in catalog.list_tasks(session, model)]
            busy = frozenset(update.task for update in updates.under_way(session, model))
            at = Watched(session, self.on.store, catalog.get_model(session, model), tasks, busy)
            for task, decision in sorted(signal.look(at).items()):
                if decision.update:
                    update = updates.create_update(
                        session, WORKER, model=model, task=task, trigger=name, reason=decision.reason, kind=signal.kind
                    )
                    started.append(update.id)
        return started
