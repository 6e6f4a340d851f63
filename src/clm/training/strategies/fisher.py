"""Fisher information of a trained adapter: how much each weight matters for what it has learned."""

import random

import torch
from torch import Tensor

from clm.llm.decoder import Expert
from clm.training.forward import Forward
from clm.training.weights import FlatWeights


def diagonal_fisher(forward: Forward, expert: Expert, examples: int, seed: int) -> Tensor:
    """`[n]`: mean over examples of the squared gradient of log p(y | x), y drawn from the model itself.

    The true Fisher information, one example at a time: squared means over a batch, or the data's own labels (the
    "empirical Fisher"), are something else (Kunstner et al. 2019, arXiv:1905.12558).
    """
    weights = FlatWeights(expert)
    chosen = random.Random(seed).sample(range(len(forward.data)), min(examples, len(forward.data)))
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros_like(weights.flat, requires_grad=False)
    for example in sorted(chosen):
        output = forward([example], weights.expert())
        log_p = torch.log_softmax(forward.base.model.logits(output.states), -1)
        drawn = torch.multinomial(log_p.detach().exp().cpu(), 1, generator=generator).to(log_p.device)
        (gradient,) = torch.autograd.grad(log_p.gather(1, drawn).sum(), weights.flat)
        total += gradient**2
    return total / len(chosen)
