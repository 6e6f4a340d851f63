"""The continual-learning methods, each a small class over the hooks of `hooks.py`. Their options: `clm.strategies`."""

from collections.abc import Callable, Sequence
from typing import Any

from clm.policies import TrainingPolicy
from clm.strategies import StrategyOptions, check_composition
from clm.training.strategies.distill import Distill
from clm.training.strategies.domain import Domain
from clm.training.strategies.ewc import Ewc
from clm.training.strategies.freeze import Freeze
from clm.training.strategies.hooks import Strategy
from clm.training.strategies.merge import Merge
from clm.training.strategies.olora import Olora
from clm.training.strategies.sharing import Experts, Finetune, Joint, Replay

STRATEGIES: dict[str, Callable[[Any, TrainingPolicy], Strategy]] = {
    "experts": lambda _, policy: Experts(policy),
    "finetune": lambda _, policy: Finetune(policy),
    "replay": Replay,
    "ewc": Ewc,
    "distill": Distill,
    "olora": Olora,
    "freeze": Freeze,
    "merge": Merge,
    "domain": Domain,
    "joint": Joint,
}


def build_strategies(options: Sequence[StrategyOptions], policy: TrainingPolicy) -> list[Strategy]:
    """Raises InvalidInput where they don't go together."""
    check_composition(options)
    return [STRATEGIES[option.name](option, policy) for option in options]
