"""The layers that learn, on batches of a training's examples; logits are computed only where there is a label."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clm.llm.base import Base
from clm.llm.batches import Packed
from clm.llm.decoder import Expert
from clm.training.examples import Tokens
from clm.training.trunk import Trunk


@dataclass(frozen=True)
class Output:
    """A batch after the last layer. `rows[k]` is the row, in the batch, of labelled token k."""

    states: Tensor  # [labels, hidden]
    labels: Tensor  # [labels]
    rows: Tensor  # [labels]
    packed: Packed
    hidden: Tensor  # [tokens, hidden]

    def means(self) -> Tensor:
        """`[rows, hidden]`: each row's mean state over its own tokens, float32."""
        inside = self.packed.inside()[..., None]
        return (self.packed.split(self.hidden)[1].float() * inside).sum(1) / inside.sum(1)


class Forward:
    """Runs examples through the frozen trunk (cached, on disk in `work` where memory is short) and the layers above."""

    def __init__(self, base: Base, first_layer: int, data: Sequence[Tokens], work: Path | None = None) -> None:
        self.base = base
        self.data = data
        self._trunk = Trunk(base, first_layer, data, work)

    def __call__(self, rows: Sequence[int], expert: Expert | None) -> Output:
        packed, hidden = self._trunk.batch(rows)
        hidden = self.base.model.forward(hidden, packed.layout, self._trunk.layers, self.base.layers, expert)
        states, labels, of_row = packed.predicting(hidden)
        return Output(states, labels, of_row, packed, hidden)

    def batches(self, size: int) -> list[list[int]]:
        """All examples once, those of like length together."""
        order = sorted(range(len(self.data)), key=lambda n: len(self.data[n].ids))
        return [order[at : at + size] for at in range(0, len(order), size)]

    @torch.no_grad()
    def logits(self, rows: Sequence[int], expert: Expert | None) -> tuple[Tensor, Output]:
        """`[labels, vocabulary]` without gradients."""
        output = self(rows, expert)
        return self.base.model.logits(output.states), output
