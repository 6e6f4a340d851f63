"""Model merging: the new adapter is trained on from the old one, then both become one by arithmetic on what each has
changed. The functions work on flat weights `[n]` and alone.

The new adapter contains the old one, so what an update itself changed is `new - old`. DARE thins that alone: the old
change was thinned when it came, and thinning it again at every update would scale it up again every time.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import Merge as MergeOptions
from clm.training.forward import Forward
from clm.training.strategies.hooks import Lesson, Strategy
from clm.training.weights import FlatWeights


def interpolate(old: Tensor, new: Tensor, step: float) -> Tensor:
    """old + step * (new - old) (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903)."""
    return old + step * (new - old)


def ties(changes: list[Tensor], density: float) -> Tensor:
    """Trim each change to its largest share, elect a sign per weight, average those that agree (TIES, Yadav et al.
    2023, arXiv:2306.01708)."""
    kept = torch.stack([_largest(change, density) for change in changes])
    sign = kept.sum(0).sign()
    agree = (kept.sign() == sign) & (kept != 0)
    return (kept * agree).sum(0) / agree.sum(0).clamp_min(1)


def dare(change: Tensor, density: float, seed: int) -> Tensor:
    """Drop weights of a change at random and scale the rest up (DARE, Yu et al. 2024, arXiv:2311.03099)."""
    kept = torch.rand(change.shape, generator=torch.Generator().manual_seed(seed), device="cpu") < density
    return change * kept.to(change.device) / density


def magnitude_max(changes: list[Tensor]) -> Tensor:
    """Per weight the change that is largest in size (MagMax, Marczak et al. 2024, arXiv:2407.06322)."""
    stacked = torch.stack(changes)
    return stacked.gather(0, stacked.abs().argmax(0, keepdim=True))[0]


class Merge(Strategy):
    """Old and new adapter merged; changes are counted from the weights that the first training began with."""

    name = "merge"

    def __init__(self, options: MergeOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._options = options
        self._origin: Tensor | None = None
        self._merges = 0  # before this one

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        saved = self.saved(lesson)
        if self._origin is None:  # after a reading of texts the weights are no longer where they began
            self._origin = saved.get("origin", weights.flat.detach().clone())
        self._merges = int(saved["merges"]) if "merges" in saved else 0

    def finish(self, lesson: Lesson, trained: Expert) -> Expert:
        if lesson.old is None or self._origin is None:
            return trained
        old, new, origin = FlatWeights(lesson.old).flat.detach(), FlatWeights(trained), self._origin
        merged = self._methods()[self._options.method](old, new.flat.detach(), origin)
        with torch.no_grad():
            new.flat.copy_(merged)
        return new.frozen()

    def remember(self, lesson: Lesson, forward: Forward, trained: Expert) -> dict[str, Tensor]:
        if self._origin is None:
            return {}
        merges = torch.tensor(self._merges + (lesson.old is not None), device=self._origin.device)
        return {"origin": self._origin, "merges": merges}

    def _methods(self) -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
        density, step, seed = self._options.density, self._options.step, self.policy.seed + self._merges
        return {
            "interpolate": lambda old, new, _: interpolate(old, new, step),
            "ties": lambda old, new, origin: origin + ties([old - origin, new - origin], density),
            "dare": lambda old, new, _: old + step * dare(new - old, density, seed),
            "magnitude-max": lambda old, new, origin: origin + magnitude_max([old - origin, new - origin]),
        }


def _largest(change: Tensor, density: float) -> Tensor:
    count = max(1, round(density * change.numel()))
    smallest_kept = change.abs().kthvalue(change.numel() - count + 1).values
    return torch.where(change.abs() >= smallest_kept, change, torch.zeros_like(change))
