"""What a continual-learning method can do in a training: a few hooks that do nothing by default.

A hook returns what it adds; none reaches into the loop. Methods compose: rows are joined, penalties are summed, masks
are multiplied, and what is trained passes through each in the order in which the policy names them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from clm.core.hashing import sha256_json
from clm.llm.base import Base
from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.training.examples import Example
from clm.training.forward import Forward, Output
from clm.training.processes import Processes
from clm.training.weights import FlatWeights

State = Mapping[str, Tensor]
Examples = Sequence[Example]


@dataclass(frozen=True)
class Lesson:
    """What an update brings, and what was there before."""

    base: Base
    task: str
    new: Examples
    memory: Mapping[str, Examples] = field(default_factory=dict[str, Examples])  # old rows to replay, by their task
    old: Expert | None = None  # the adapter as it is released; None: there is none yet
    state: State = field(default_factory=dict[str, Tensor])  # what the methods saved with it, "name.tensor"
    start: Expert | None = None  # where a new adapter's weights begin: another task's expert; None: fresh
    tutors: Mapping[str, Expert] = field(default_factory=dict[str, Expert])  # by record id: whose answers to stay near
    trained: Sequence[str] = ()  # record ids of what is trained on now, in order
    drawn: bool = False  # True: `memory` is what was drawn for this update; False: a strategy draws its share of it


@dataclass(frozen=True)
class Step:
    """One batch on its way through the loop."""

    examples: Sequence[int]  # which of the training's examples
    weights: Tensor  # [n], what is trained
    output: Output
    logits: Tensor  # [labels, vocabulary]
    share: float = 1.0  # of the batch's labels that these are; the others are with other processes
    processes: Processes = field(default_factory=Processes)

    def means(self) -> Tensor:
        """`[rows of the whole batch, hidden]`: each row's mean state."""
        own = self.output.means()
        return self.processes.gather(own if self.share else own[:0])


class Strategy:
    """Base of all methods. `name` is that of its options; state and notes are kept under it."""

    name = ""
    per_label = False  # True: its penalty is a mean over the step's labels; False: all processes compute the same one

    def __init__(self, policy: TrainingPolicy) -> None:
        self.policy = policy

    def rows(self, lesson: Lesson) -> Examples:
        """Old rows to train on beside the new ones."""
        return ()

    def texts(self, lesson: Lesson) -> Examples:
        """Rows of plain text to pretrain on before the others."""
        return ()

    def text_epochs(self) -> int:
        return 0

    def starts_fresh(self, lesson: Lesson) -> bool:
        """True: the training does not go on from the old adapter."""
        return False

    def prepare(self, lesson: Lesson, forward: Forward, weights: FlatWeights) -> None:
        """Looks at the examples and the weights before the first step; of texts, then again of the other rows."""

    def trainable(self, weights: FlatWeights) -> Tensor | None:
        """`[n]`, 1 where a weight may change, 0 where it is frozen; None: all may."""
        return None

    def around(self, expert: Expert) -> Expert:
        """What the model runs with while `expert` is trained."""
        return expert

    def penalty(self, step: Step) -> Tensor | None:
        """A scalar that is added to the loss."""
        return None

    def finish(self, lesson: Lesson, trained: Expert) -> Expert:
        """What becomes of the trained adapter."""
        return trained

    def remember(self, lesson: Lesson, forward: Forward, trained: Expert) -> dict[str, Tensor]:
        """What the next update needs to know; saved with the release."""
        return {}

    def notes(self) -> dict[str, Any]:
        """What a person should know of what was chosen; part of the update's record."""
        return {}

    def saved(self, lesson: Lesson) -> dict[str, Tensor]:
        """This method's own part of the lesson's state."""
        start, device = f"{self.name}.", lesson.base.model.device
        return {
            key.removeprefix(start): value.to(device) for key, value in lesson.state.items() if key.startswith(start)
        }


class Method:
    """Strategies as one, for one training.

    `ends`: False where more is trained on afterwards, so that nothing is to be finished or remembered yet.
    """

    def __init__(self, strategies: Sequence[Strategy] = (), lesson: Lesson | None = None, ends: bool = True) -> None:
        self.strategies = strategies
        self._lesson = lesson
        self._ends = ends

    def prepare(self, forward: Forward, weights: FlatWeights) -> None:
        for strategy, lesson in self._each():
            strategy.prepare(lesson, forward, weights)

    def trainable(self, weights: FlatWeights) -> Tensor | None:
        masks = [mask for strategy in self.strategies if (mask := strategy.trainable(weights)) is not None]
        return torch.stack(masks).prod(0) if masks else None

    def around(self, expert: Expert) -> Expert:
        for strategy in self.strategies:
            expert = strategy.around(expert)
        return expert

    def penalty(self, step: Step) -> Tensor | None:
        """The sum of all; summed over all processes, each strategy's counts once."""
        parts = [
            part * step.share if strategy.per_label else part / step.processes.count
            for strategy in self.strategies
            if (part := strategy.penalty(step)) is not None
        ]
        return torch.stack(parts).sum() if parts else None

    def finish(self, trained: Expert) -> Expert:
        for strategy, lesson in self._each() if self._ends else ():
            trained = strategy.finish(lesson, trained)
        return trained

    def remember(self, forward: Forward, finished: Expert) -> dict[str, Tensor]:
        return {
            f"{strategy.name}.{key}": value.detach().contiguous()
            for strategy, lesson in (self._each() if self._ends else ())
            for key, value in strategy.remember(lesson, forward, finished).items()
        }

    def fingerprint(self) -> str:
        """Names the methods' options by way of the policy, and here what they remember of earlier updates."""
        state = self._lesson.state if self._lesson else {}
        parts = {key: hashlib.sha256(value.cpu().numpy().tobytes()).hexdigest() for key, value in sorted(state.items())}
        return sha256_json(parts)

    def notes(self) -> dict[str, Any]:
        return {strategy.name: notes for strategy in self.strategies if (notes := strategy.notes())}

    def _each(self) -> list[tuple[Strategy, Lesson]]:
        return [(strategy, self._lesson) for strategy in self.strategies if self._lesson is not None]
