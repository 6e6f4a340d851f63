"""The continual-learning methods by name, with their bounded options. What they do: `clm.training.strategies`.

A policy names them in order: `strategies: [experts]`, or composed, `[{name: replay, share: 0.3}, distill]`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from clm.errors import InvalidInput, unknown_name


class StrategyOptions(BaseModel):
    """What every method's options have in common: a name, bounds, and no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: Any  # each method's own, a literal


class Experts(StrategyOptions):
    """A frozen expert per task and a router: the default."""

    name: Literal["experts"] = "experts"
    mix: Annotated[int, Field(ge=1, le=8, description="experts mixed per prompt; 1: the nearest alone")] = 1
    sharpness: Annotated[float, Field(gt=0, le=100, description="of the mix: weight ~ exp(-sharpness * distance)")] = 10


class Finetune(StrategyOptions):
    """One adapter, trained on: the baseline that forgets."""

    name: Literal["finetune"] = "finetune"


class Replay(StrategyOptions):
    """Old rows beside the new ones."""

    name: Literal["replay"] = "replay"
    share: Annotated[float, Field(gt=0, le=10, description="replayed rows per new row")] = 0.5


class Ewc(StrategyOptions):
    """Online elastic weight consolidation."""

    name: Literal["ewc"] = "ewc"
    weight: Annotated[float, Field(gt=0, le=1e6, description="of the penalty")] = 1.0
    decay: Annotated[float, Field(ge=0, le=1, description="of older tasks' Fisher information per update")] = 0.95
    examples: Annotated[int, Field(ge=1, le=10_000, description="for the Fisher information")] = 64


class Distill(StrategyOptions):
    """Learning without forgetting: stay near the previous release's answers."""

    name: Literal["distill"] = "distill"
    weight: Annotated[float, Field(gt=0, le=100, description="of the distillation loss")] = 1.0
    temperature: Annotated[float, Field(gt=0, le=20)] = 2.0
    top: Annotated[int, Field(ge=1, le=1024, description="logits stored per token")] = 32


class Olora(StrategyOptions):
    """A LoRA per task, each orthogonal to those before."""

    name: Literal["olora"] = "olora"
    weight: Annotated[float, Field(gt=0, le=1e4, description="of the orthogonality penalty")] = 0.5


class Freeze(StrategyOptions):
    """Only some layers go on learning; the ones that mattered most so far stay."""

    name: Literal["freeze"] = "freeze"
    layers: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...] | None, Field(description="to freeze; none: chosen by importance")
    ] = None
    share: Annotated[float, Field(gt=0, lt=1, description="of the layers to freeze where they are chosen")] = 0.5


class Merge(StrategyOptions):
    """Old and new adapter become one by arithmetic on what each has learned."""

    name: Literal["merge"] = "merge"
    method: Literal["interpolate", "ties", "dare", "magnitude-max"] = "interpolate"
    step: Annotated[float, Field(gt=0, le=1, description="share of the way to the new adapter (interpolate, dare)")] = (
        0.5
    )
    density: Annotated[float, Field(gt=0, le=1, description="share of changes kept (ties, dare)")] = 0.5


class Domain(StrategyOptions):
    """Continued pretraining on unlabelled text first; optionally aligned features of old and new domain."""

    name: Literal["domain"] = "domain"
    epochs: Annotated[
        int, Field(ge=0, le=100, description="over the text rows, before the others; 0: they are read among the others")
    ] = 1
    align: Literal["none", "mmd", "coral"] = "coral"
    weight: Annotated[float, Field(gt=0, le=100, description="of the alignment loss")] = 1.0


class Joint(StrategyOptions):
    """Multi-task training: tasks of a group share an adapter that sees all their rows."""

    name: Literal["joint"] = "joint"
    temperature: Annotated[float, Field(ge=1, le=100, description="of sampling over tasks; 1: by size")] = 2.0


OPTIONS: dict[str, type[StrategyOptions]] = {
    "experts": Experts,
    "finetune": Finetune,
    "replay": Replay,
    "ewc": Ewc,
    "distill": Distill,
    "olora": Olora,
    "freeze": Freeze,
    "merge": Merge,
    "domain": Domain,
    "joint": Joint,
}


CONFLICTS = (
    ("experts", "joint", "one gives each task an adapter, the other shares one"),
    ("experts", "finetune", "one gives each task an adapter, the other shares one"),
    ("finetune", "joint", "one trains on the new rows alone, the other on all"),
    ("finetune", "replay", "one trains on the new rows alone, the other on old ones too"),
    ("finetune", "olora", "one trains the adapter on, the other adds a new one to it"),
    ("joint", "replay", "joint training sees all old rows already"),
    ("joint", "ewc", "joint training begins anew, so no weight has an older value to be held near"),
    ("joint", "freeze", "joint training begins anew, so a frozen layer would never learn anything"),
    (
        "joint",
        "merge",
        "joint training begins anew, and only an adapter that was trained on from the old one can be merged with it",
    ),
    ("olora", "merge", "a merged adapter has no directions of its own left"),
    ("olora", "freeze", "the older adapters are frozen whole already"),
    ("olora", "ewc", "the older adapters are frozen whole already, so no weight of theirs has to be held"),
    ("olora", "experts", "an expert of its own needs no direction of its own"),
    ("olora", "joint", "a joint adapter has no earlier tasks to keep apart from"),
)


def by_name(value: Any) -> StrategyOptions:
    """Options from a name, a mapping with a `name`, or themselves.

    Raises NotFound with the known names for an unknown one, pydantic's ValidationError for bad options.
    """
    if isinstance(value, StrategyOptions):
        return value
    given: dict[str, Any] = {"name": value} if isinstance(value, str) else dict(value)
    name = str(given.get("name", ""))
    if name not in OPTIONS:
        raise unknown_name("strategy", name, list(OPTIONS))
    return OPTIONS[name].model_validate(given)


SHARED = "shared"  # the adapter of all tasks together


def adapter_of(strategies: Sequence[StrategyOptions], task: str, group: str | None = None) -> str:
    """The name of the adapter that answers a task: its own, its group's, or the one that all share."""
    names = {options.name for options in strategies}
    if "experts" in names:
        return task
    return group or SHARED if "joint" in names else SHARED


def replays(strategies: Sequence[StrategyOptions]) -> Literal["nothing", "task", "adapter"]:
    """Whose old rows an update trains on beside its new ones: nobody's, the task's own, or all that share its adapter.

    The mixture draws no others, and the training takes no others.
    """
    names = {options.name for options in strategies}
    if "experts" in names:
        return "task"
    return "adapter" if names & {"replay", "joint"} else "nothing"


def check_composition(strategies: Sequence[StrategyOptions]) -> None:
    """Raises InvalidInput where strategies can't be used together."""
    names = [options.name for options in strategies]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"Strategy {twice[0]!r} is named twice; name it once.", field="strategies")
    for one, other, why in CONFLICTS:
        if one in names and other in names:
            raise InvalidInput(f"{one!r} and {other!r} don't go together: {why}. Choose one.", field="strategies")
