"""Checkpoints: one safetensors file with tensors and, in its header, the rest as JSON. Written atomically.

Nothing random is drawn while training (no dropout, and the order of an epoch's batches follows from seed and epoch), so
weights, optimizer moments, the step and what decides on the end are all that an exact resume needs.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from clm.core.files import write_bytes


@dataclass(frozen=True)
class Position:
    """How far training has come. `fingerprint` names inputs and settings: another one means another training."""

    fingerprint: str
    step: int
    tokens: int
    seconds: float
    losses: Sequence[float]  # of the last steps
    length: dict[str, Any] = field(default_factory=dict[str, Any])  # what clm.training.length has seen


def save_checkpoint(folder: Path, position: Position, tensors: dict[str, Tensor]) -> None:
    write_bytes(folder / "checkpoint.safetensors", save(tensors, {"position": json.dumps(asdict(position))}))


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[Position, dict[str, Tensor]] | None:
    """The newest checkpoint of the training with this fingerprint, else None."""
    file = folder / "checkpoint.safetensors"
    if not file.exists():
        return None
    try:
        with safe_open(file, "pt") as opened:
            position = Position(**json.loads(opened.metadata()["position"]))
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None  # unreadable: train from the start rather than fail
    return (position, tensors) if position.fingerprint == fingerprint else None
