"""Experts as sums: several, each with a weight, run as one."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clm.llm.decoder import Expert


def stack(parts: Sequence[tuple[Expert, float]]) -> Expert:
    """One expert that changes the base by the weighted sum of what the parts change.

    W += sum_i weight_i scale_i B_i A_i. Their ranks lie side by side, so the sum is exact. Gradients flow through.
    """
    places = dict.fromkeys(place for expert, _ in parts for place in expert.weights)
    weights: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
    for place in places:
        a, b = next(expert.weights[place] for expert, _ in parts if place in expert.weights)
        halves = [
            (*expert.weights.get(place, (a.new_zeros(expert.rank, a.shape[1]), b.new_zeros(len(b), expert.rank))),
             weight * expert.scale)
            for expert, weight in parts
        ]  # fmt: skip
        weights[place] = torch.cat([a for a, _, _ in halves]), torch.cat([b * scale for _, b, scale in halves], 1)
    rank = sum(expert.rank for expert, _ in parts)
    return Expert(weights, rank, float(rank))  # alpha = rank: a scale of one, for each part brought its own
