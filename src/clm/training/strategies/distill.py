"""Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): on new and replayed inputs the adapter stays near
the answers of the release before it; where one expert is made of several, near those of the one that answered each."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from clm.llm.decoder import Expert
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
        for teacher, rows in _classes(lesson, forward):
            logits, output = forward.logits(rows, teacher)
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


def _classes(lesson: Lesson, forward: Forward) -> Iterator[tuple[Expert, list[int]]]:
    """Who teaches which examples: the tutor of each, where all have one, else the old adapter, where there is one."""
    tutors = [lesson.tutors.get(record_id) for record_id in lesson.trained]
    each = tutors if tutors and None not in tutors else [lesson.old] * len(forward.data)
    for rows in forward.batches(BATCH):
        for teacher in {id(each[n]): each[n] for n in rows}.values():
            if teacher is not None:
                yield teacher, [n for n in rows if each[n] is teacher]


def _with_rest(log_p: Tensor) -> Tensor:
    """`[n, top]` log-probabilities -> `[n, top + 1]`, the last being all other tokens together."""
    rest = (1 - log_p.exp().sum(1, keepdim=True)).clamp_min(1e-6)
    return torch.cat((log_p, rest.log()), 1)
