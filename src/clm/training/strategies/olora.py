"""Orthogonal subspaces (O-LoRA, Wang et al. 2023, arXiv:2310.14152): each task learns in directions of its own."""

import torch
from torch import Tensor

from clm.llm.arithmetic import stack
from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import Olora as OloraOptions
from clm.training.forward import Forward
from clm.training.strategies.hooks import Lesson, Step, Strategy
from clm.training.weights import FlatWeights


class Olora(Strategy):
    """Trains a fresh LoRA on top of the frozen sum of the older ones, and adds weight * sum |A_old A_new^T|.

    The paper writes squares; its authors' code sums absolute values, whose pull does not fade as an overlap gets small.
    Both were measured (docs/experiments.md, 2026-11-26). The released adapter is all of them side by side, so its rank
    grows by `rank` with every update.
    """

    name = "olora"

    def __init__(self, options: OloraOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._weight = options.weight
        self._old: Expert | None = None
        self._weights: FlatWeights | None = None

    def starts_fresh(self, lesson: Lesson) -> bool:
        return True

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        self._old, self._weights = lesson.old, weights

    def around(self, expert: Expert) -> Expert:
        return expert if self._old is None else stack([(self._old, 1.0), (expert, 1.0)])

    def penalty(self, step: Step) -> Tensor | None:
        if self._old is None or self._weights is None:
            return None
        new = self._weights.expert().weights
        overlaps = [(a @ new[place][0].T).abs().sum() for place, (a, _) in self._old.weights.items() if place in new]
        return self._weight * torch.stack(overlaps).sum()

    def finish(self, lesson: Lesson, trained: Expert) -> Expert:
        return self.around(trained)
