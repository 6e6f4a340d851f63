"""What the strategies leave of the policy's repairs, and among how many kinds the error rate is split."""

import math

from clm.policies import ModelPolicy, RepairPolicy
from clm.stages.replaying import share_of
from clm.strategies import replays

# Strategies whose expert does not go on from the old one: the line between the two means nothing.
STARTS_FRESH = ("joint", "olora")


def repairs_left(policy: ModelPolicy) -> RepairPolicy:
    """There is no way to go in steps where a training doesn't go on from the old expert, no more to replay where
    nothing is replayed, or everything is already, and no route to change where one adapter answers everything."""
    chosen = policy.training.strategies
    left = policy.repair
    if any(strategy.name in STARTS_FRESH for strategy in chosen):
        left = left.model_copy(update={"interpolate": False})
    if replays(chosen) == "nothing" or share_of(policy.training) == math.inf:
        left = left.model_copy(update={"replay_tries": 0})
    if not any(strategy.name == "experts" for strategy in chosen):
        left = left.model_copy(update={"route_tries": 0})
    return left


def kinds_of_tries(policy: ModelPolicy, refreshes: bool) -> int:
    """Tries with a share of their own of the error rate: all steps together, each training, each route."""
    left = repairs_left(policy)
    of_refresh = (1 if left.interpolate else 0) + left.replay_tries if refreshes else 0
    return max(of_refresh, left.route_tries)  # an update is repaired by the one or by the other
