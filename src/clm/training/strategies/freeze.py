"""Layer freezing: the layers that mattered most for what was learned so far stay as they are."""

from typing import Any

import torch
from torch import Tensor

from clm.errors import InvalidInput
from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import Freeze as FreezeOptions
from clm.training.forward import Forward
from clm.training.strategies.fisher import diagonal_fisher
from clm.training.strategies.hooks import Lesson, Strategy
from clm.training.weights import FlatWeights

EXAMPLES = 32  # that a layer's importance is measured on


class Freeze(Strategy):
    """Freezes the given layers, or from the second update on the `share` with the most Fisher information so far.

    Choosing by importance follows the reasoning of Lee et al. 2023 (arXiv:2210.11466): which layers to tune depends on
    what has changed. Which ones were frozen stands in the update's record.
    """

    name = "freeze"

    def __init__(self, options: FreezeOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._options = options
        self._frozen: list[int] = []

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        layers = weights.layers
        if self._options.layers is not None:
            self._frozen = sorted(set(self._options.layers))
            unknown = sorted(set(self._frozen) - set(layers))
            if unknown:
                raise InvalidInput(
                    f"Layer {unknown[0]} can't be frozen: the adapter has layers {layers[0]} to {layers[-1]}.",
                    field="strategies.freeze.layers",
                )
        elif (importance := self.saved(lesson).get("importance")) is not None:
            count = min(max(1, round(self._options.share * len(layers))), len(layers) - 1)
            self._frozen = sorted(layers[n] for n in importance.argsort(descending=True)[:count].tolist())
        if set(self._frozen) == set(layers):
            raise InvalidInput("All layers are frozen, so nothing would be learned. Leave one out.",
                               field="strategies.freeze.layers")  # fmt: skip

    def trainable(self, weights: FlatWeights) -> Tensor | None:
        of_each = weights.layer_of_each()
        frozen = torch.tensor(self._frozen, device=of_each.device)
        return 1 - torch.isin(of_each, frozen).float() if self._frozen else None

    def remember(self, lesson: Lesson, forward: Forward, trained: Expert) -> dict[str, Tensor]:
        fisher = diagonal_fisher(forward, trained, EXAMPLES, self.policy.seed)
        weights = FlatWeights(trained)
        of_each = weights.layer_of_each()
        importance = torch.stack([fisher[of_each == layer].sum() for layer in weights.layers])
        return {"importance": self.saved(lesson).get("importance", torch.zeros_like(importance)) + importance}

    def notes(self) -> dict[str, Any]:
        return {"frozen_layers": self._frozen}
