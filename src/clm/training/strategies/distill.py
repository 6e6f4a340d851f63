"""Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): on new and replayed inputs the adapter stays near
the answers of the release before it."""

import torch
from torch import Tensor
from torch.nn import functional

from clm.policies import TrainingPolicy
from clm.strategies import Distill as DistillOptions
from clm.training.forward import Forward
from clm.training.strategies.hooks import Lesson, Step, Strategy
from clm.training.weights import FlatWeights

BATCH = 16  # examples that the teacher reads at once


class Distill(Strategy):
    """Adds weight * T^2 * KL(teacher || student) per labelled token at temperature T (Hinton et al. 2015).

    Of the teacher only the `top` likeliest tokens are stored, with all others as one more outcome.
    """

    name = "distill"
    per_label = True

    def __init__(self, options: DistillOptions, policy: TrainingPolicy) -> None:
        super().__init__(policy)
        self._options = options
        self._teacher: dict[int, tuple[Tensor, Tensor]] = {}  # by example: tokens and log-probabilities, [labels, top]

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        self._teacher = {}
        if lesson.old is None:
            return
        for rows in forward.batches(BATCH):
            logits, output = forward.logits(rows, lesson.old)
            log_p = torch.log_softmax(logits / self._options.temperature, -1)
            values, tokens = log_p.topk(min(self._options.top, logits.shape[1] - 1))
            for at, example in enumerate(rows):
                mine = output.rows == at
                self._teacher[example] = tokens[mine].int(), values[mine].half()

    def penalty(self, step: Step) -> Tensor | None:
        if not self._teacher:
            return None
        tokens = torch.cat([self._teacher[n][0] for n in step.examples]).long()
        teacher = _with_rest(torch.cat([self._teacher[n][1] for n in step.examples]).float())
        log_p = torch.log_softmax(step.logits / self._options.temperature, -1)
        student = _with_rest(log_p.gather(1, tokens))
        divergence = functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
        return self._options.weight * self._options.temperature**2 * divergence


def _with_rest(log_p: Tensor) -> Tensor:
    """`[n, top]` log-probabilities -> `[n, top + 1]`, the last being all other tokens together."""
    rest = (1 - log_p.exp().sum(1, keepdim=True)).clamp_min(1e-6)
    return torch.cat((log_p, rest.log()), 1)
