"""Moving traffic to a release that is registered already."""

from sqlalchemy.orm import Session

from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.deployment import service as deployment
from clm.deployment.tables import RolloutRow
from clm.policies import RolloutPolicy
from clm.registry import service as registry


def begin_rollout(session: Session, caller: Caller, model: str, release: str, kind: str | None = None) -> RolloutRow:
    """`kind` None: as the model's policy says. After the commit the target has to be reconciled.

    Raises NotFound for an unknown model or release, Conflict where a rollout is under way or the release serves.
    """
    policy = catalog.policy_of(catalog.get_model(session, model)).rollout
    policy = RolloutPolicy.model_validate({**policy.model_dump(), **({"kind": kind} if kind else {})})
    return deployment.start_rollout(session, caller, registry.get(session, release, model), policy, None)
