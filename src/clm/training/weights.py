"""An expert's weights as one vector, and Adam on it.

One vector, because then clipping, moments and checkpoints are one line each, and because a step over hundreds of small
tensors costs more time than their arithmetic.
"""

import torch
from torch import Tensor

from clm.llm.decoder import Expert


class FlatWeights:
    """All A and B of an expert in `flat`, `[n]`, in the order of the expert's places."""

    def __init__(self, expert: Expert) -> None:
        self._like = expert
        self.first_layer = expert.layers[0]
        parts = [part for pair in expert.weights.values() for part in pair]
        self.flat = torch.cat([part.flatten() for part in parts]).requires_grad_()
        self._sizes = [part.numel() for part in parts]

    @property
    def layers(self) -> list[int]:
        return self._like.layers

    def layer_of_each(self) -> Tensor:
        """`[n]`: the layer that each weight belongs to."""
        layers = [layer for (layer, _), pair in self._like.weights.items() for _ in pair]
        counts = torch.tensor(self._sizes, device=self.flat.device)
        return torch.repeat_interleave(torch.tensor(layers, device=self.flat.device), counts)

    def expert(self) -> Expert:
        """The expert that the vector describes now; gradients flow back into the vector."""
        parts = iter(self.flat.split(self._sizes))
        weights = {
            place: (next(parts).view(a.shape), next(parts).view(b.shape))
            for place, (a, b) in self._like.weights.items()
        }
        return Expert(weights, self._like.rank, self._like.alpha)

    def frozen(self) -> Expert:
        """A copy that no later step changes."""
        with torch.no_grad():
            copy = self.expert()
            copy.weights = {place: (a.clone(), b.clone()) for place, (a, b) in copy.weights.items()}
        return copy


class Adam:
    """Kingma & Ba 2015, arXiv:1412.6980, with bias correction; no weight decay."""

    def __init__(self, weights: Tensor, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
        self._weights = weights
        self._betas = betas
        self._epsilon = epsilon
        self.mean = torch.zeros_like(weights, requires_grad=False)
        self.square = torch.zeros_like(weights, requires_grad=False)

    @torch.no_grad()
    def step(self, gradient: Tensor, learning_rate: float, number: int) -> None:
        """Changes the weights in place; `number` counts steps from 1."""
        first, second = self._betas
        self.mean.lerp_(gradient, 1 - first)
        self.square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        spread = (self.square / (1 - second**number)).sqrt_().add_(self._epsilon)
        self._weights.addcdiv_(self.mean, spread, value=-learning_rate / (1 - first**number))
