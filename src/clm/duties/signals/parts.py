"""Too many parts of a task, or confused ones."""

from clm.catalog import service as catalog
from clm.deployment import repository as deployments
from clm.duties.signals.signal import Signal, Watched
from clm.registry import service as registry
from clm.trigger.policy import Decision, by_parts
from clm.updates import repository as update_rows


class Parts(Signal):
    kind = "consolidate"

    def look(self, at: Watched) -> dict[str, Decision]:
        """Once per champion: what the gate did not let pass is not tried again until something else has changed."""
        model, policy = at.model.name, catalog.policy_of(at.model).parts
        champion = registry.get(at.session, deployments.get_deployment(at.session, model).champion)
        confused = champion.manifest["lineage"].get("confused", {})
        decisions: dict[str, Decision] = {}
        for task in champion.composition.tasks.intersection(at.tasks):
            parts = len(champion.composition.parts(task))
            decision = by_parts(policy, parts, confused.get(task), task in at.busy)
            if decision.update and update_rows.has_seen(at.session, model, task, self.kind, champion.release_id):
                decision = Decision(False, f"an update of this kind has seen v{champion.number} already")
            decisions[task] = decision
        return decisions
