"""Stage *rollout*: moves the traffic over, watching. Who moves it is `clm.duties.rollouts`, or a person."""

from collections.abc import Callable

from clm.catalog import service as catalog
from clm.core.caller import WORKER
from clm.deployment import repository as deployments
from clm.deployment import service as deployment
from clm.deployment.targets import targets
from clm.installation import Installation
from clm.policies import ModelPolicy
from clm.records import Release
from clm.stages.outcome import Done
from clm.updates import log
from clm.updates import service as updates


def roll_out(on: Installation, update_id: str, release: Release, wait: Callable[[], None]) -> Done[list[str]]:
    """How the update ends, and a sentence. `wait` is called between two looks at the rollout."""
    folder = on.paths.updates / update_id
    with on.database.transaction() as session:
        update = updates.get_update(session, update_id)
        policy = ModelPolicy.model_validate(update.policy).rollout
        rollout = deployment.start_rollout(session, WORKER, release, policy, update_id)
        rollout_id = update.rollout_id = rollout.id
    targets.reconcile(on.database, on.settings)
    log.write(folder, "rollout", f"{policy.kind} rollout of v{release.number} begins.")
    logged = 0
    while True:
        with on.database.read() as session:
            rollout = deployments.get_rollout(session, rollout_id)
        for verdict in rollout.verdicts[logged:]:
            log.write(folder, "rollout", f"{verdict['verdict']}: {verdict['reason']}")
        logged = len(rollout.verdicts)
        if rollout.finished_at is not None:
            break
        wait()
    state, reason = rollout.state, rollout.reason or "no reason given"
    outcome = ["succeeded" if state == "promoted" else "rolled-back", f"v{release.number}: {reason}"]
    return outcome, {"rollout": rollout_id, "state": state, "reason": reason}, f"Rollout {state}: {reason}"


def finish(on: Installation, update_id: str, state: str, sentence: str) -> str:
    """Ends an update whose stages are all done."""
    with on.database.transaction() as session:
        update = updates.get_update(session, update_id)
        updates.finish(session, WORKER, update, state, sentence)
        if update.kind == "remove" and state == "succeeded":
            catalog.mark_removed(session, WORKER, update.model, update.task)
    return state
