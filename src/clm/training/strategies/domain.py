"""Domain adaptation: continued pretraining on unlabelled text before the supervised rows (DAPT, Gururangan et al. 2020,
arXiv:2004.10964), and features of the new domain kept aligned with those of the old."""

import random

import torch
from torch import Tensor

from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import Domain as DomainOptions
from clm.training.forward import Forward
from clm.training.strategies.hooks import Examples, Lesson, Step, Strategy
from clm.training.weights import FlatWeights

KEPT = 64  # features of the old domain
BATCH = 16


def coral(one: Tensor, other: Tensor) -> Tensor:
    """Distance of the second-order statistics of `[n, d]` and `[m, d]` (CORAL, Sun & Saenko 2016, arXiv:1607.01719)."""
    return (_covariance(one) - _covariance(other)).square().sum() / (4 * one.shape[1] ** 2)


def mmd(one: Tensor, other: Tensor) -> Tensor:
    """Squared maximum mean discrepancy with a Gaussian kernel of median width (Gretton et al. 2012; biased form)."""
    both = torch.cat((one, other))
    distances = torch.cdist(both, both).square()
    kernel = torch.exp(-distances / distances.detach().median().clamp_min(1e-12))
    n = len(one)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()


ALIGNMENTS = {"coral": coral, "mmd": mmd}


class Domain(Strategy):
    """Text rows first; then weight * the distance of a batch's mean states from a kept sample of the old domain's."""

    name = "domain"

    def __init__(self, options: DomainOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._options = options
        self._old: Tensor | None = None

    def texts(self, lesson: Lesson) -> Examples:
        return [row for row in lesson.new if row.shape == "text"] if self._options.epochs else ()

    def text_epochs(self) -> int:
        return self._options.epochs

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        self._old = self.saved(lesson).get("features")

    def penalty(self, step: Step) -> Tensor | None:
        if self._old is None or self._options.align == "none":
            return None
        means = step.means()
        if len(means) < 2:
            return None
        size = self._old.square().mean().sqrt()  # so that the weight means the same for every base
        distance = ALIGNMENTS[self._options.align]
        return self._options.weight * distance(means / size, self._old / size)

    def remember(self, lesson: Lesson, forward: Forward, trained: Expert) -> dict[str, Tensor]:
        with torch.no_grad():
            means = torch.cat([forward(rows, trained).means() for rows in forward.batches(BATCH)])
        before = self.saved(lesson).get("features")
        kept = means if before is None else torch.cat((before, means))
        chosen = random.Random(self.policy.seed).sample(range(len(kept)), min(KEPT, len(kept)))
        return {"features": kept[sorted(chosen)].clone()}


def _covariance(features: Tensor) -> Tensor:
    centred = features - features.mean(0)
    return centred.T @ centred / max(1, len(features) - 1)
