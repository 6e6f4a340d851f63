"""The next token from its scores: greedy, or sampled from the nucleus."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Sampled(Protocol):
    """What of a request decides how a token is chosen."""

    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...


def choose(request: Sampled, scores: Tensor, random: np.random.Generator) -> int:
    """One token id from `[vocabulary]` logits; nucleus sampling as in Holtzman et al. 2019, arXiv:1904.09751."""
    if request.temperature <= 0:
        return int(scores.argmax())
    probabilities, tokens = torch.softmax(scores.double() / request.temperature, -1).sort(descending=True, stable=True)
    cumulated = probabilities.cumsum(-1).cpu().numpy()
    # The smallest set that reaches top_p; never empty.
    kept = min(int(np.searchsorted(cumulated, min(request.top_p, cumulated[-1]))) + 1, len(cumulated))
    drawn = np.searchsorted(cumulated[:kept], random.random() * cumulated[kept - 1], side="right")
    return int(tokens[min(int(drawn), kept - 1)])
