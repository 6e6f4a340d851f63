"""Online elastic weight consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796; Schwarz et al. 2018,
arXiv:1805.06370): weights that mattered for older tasks are held near their values."""

import torch
from torch import Tensor

from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import Ewc as EwcOptions
from clm.training.forward import Forward
from clm.training.strategies.fisher import diagonal_fisher
from clm.training.strategies.hooks import Lesson, Step, Strategy
from clm.training.weights import FlatWeights


class Ewc(Strategy):
    """weight / 2 * sum_i F_i (w_i - anchor_i)^2, with F the running sum of the tasks' normalised Fisher information.

    Each task's information is brought to a mean of one, as Schwarz et al. do: the surer a model is of its answers, the
    smaller it gets, and what was learned longest would be protected least.
    """

    name = "ewc"

    def __init__(self, options: EwcOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._options = options
        self._fisher: Tensor | None = None
        self._anchor: Tensor | None = None

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        fisher = self.saved(lesson).get("fisher")
        if lesson.old is not None and fisher is not None:
            self._fisher, self._anchor = fisher, FlatWeights(lesson.old).flat.detach()

    def penalty(self, step: Step) -> Tensor | None:
        if self._fisher is None or self._anchor is None:
            return None
        return self._options.weight / 2 * (self._fisher * (step.weights - self._anchor) ** 2).sum()

    def remember(self, lesson: Lesson, forward: Forward, trained: Expert) -> dict[str, Tensor]:
        fisher = diagonal_fisher(forward, trained, self._options.examples, self.policy.seed)
        before = self.saved(lesson).get("fisher", torch.zeros_like(fisher))
        return {"fisher": self._options.decay * before + normalised(fisher)}


def normalised(fisher: Tensor) -> Tensor:
    """With a mean of one; one that is zero everywhere says nothing and stays."""
    mean = fisher.double().mean()
    return (fisher / mean).to(fisher.dtype) if mean > 0 else fisher
