"""The training loop: one LoRA expert on the layers above the frozen trunk. Usable without a server:

base = load_base(path, threads=2)
result = train(base, examples, TrainingPolicy(epochs=3))
save_expert(result.expert, base.hash, folder)
"""

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from clm.core.hashing import sha256_json
from clm.errors import InvalidInput, TrainingFailed
from clm.llm.base import Base
from clm.llm.decoder import Expert
from clm.llm.experts import load_expert, new_expert
from clm.policies import TrainingPolicy
from clm.training.checkpoints import Position, load_checkpoint, save_checkpoint
from clm.training.examples import Example, Tokens, count_labels, tokenise
from clm.training.forward import Forward
from clm.training.length import Questions, length_of
from clm.training.processes import Processes, join
from clm.training.strategies.hooks import Method, Step
from clm.training.weights import Adam, FlatWeights

RECENT = 20  # steps over which the reported loss is averaged
ROWS_AT_ONCE = 16  # of those held back


@dataclass(frozen=True)
class Progress:
    step: int
    steps: int | None  # None: how many there will be is not decided yet
    loss: float  # mean over the last steps, natural log per token
    tokens_per_second: float
    eta_seconds: float | None
    sentence: str = ""  # where rows that are held back were looked at


@dataclass(frozen=True)
class TrainingResult:
    expert: Expert
    steps: int
    tokens: int  # of all examples seen, prompts included
    seconds: float  # over all attempts
    final_loss: float
    state: dict[str, Tensor] = field(default_factory=dict[str, Tensor])  # what the method needs at the next update
    length: dict[str, Any] = field(default_factory=dict[str, Any])  # why it ended, see clm.training.length


def train(
    base: Base,
    examples: Sequence[Example],
    policy: TrainingPolicy,
    init_expert: Path | Expert | None = None,
    checkpoints: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    seed: int | None = None,
    method: Method | None = None,
    new: int | None = None,
) -> TrainingResult:
    """Trains an expert; the same inputs give the same weights on the same machine with the same number of threads.

    `init_expert`: go on from this expert (its rank and layers are kept). `checkpoints`: a folder from which a killed
    training goes on exactly. `seed` overrides the policy's. `method`: what keeps it from forgetting, see
    `clm.training.learning`, which chooses it; none is plain fine-tuning. `new`: so many examples, the first ones, are
    new, and only of these are some held back to see how long to go on; all, if it is not said. Under
    `accelerate launch` each process trains on its share of every batch, and all get the same expert. Raises
    InvalidInput for examples or a policy that can't be trained on, TrainingFailed for a loss or gradient that is not
    finite.
    """
    processes = join(base.model.device)
    seed = policy.seed if seed is None else seed
    method = method or Method()
    data = tokenise(base.tokenizer, examples, min(policy.max_tokens, base.model.config.max_positions))
    weights = FlatWeights(_first_expert(base, policy, init_expert, seed))
    adam = Adam(weights.flat)
    position = Position(
        _fingerprint(base, data, policy, weights, seed, method, new), step=0, tokens=0, seconds=0.0, losses=()
    )
    length = length_of(policy, examples[:new], data, seed)
    if checkpoints is not None and (saved := load_checkpoint(checkpoints, position.fingerprint)) is not None:
        position, tensors = saved
        for name, target in _state(weights, adam).items():
            target.data.copy_(tensors[name])
        length.restore(position.length)
    processes.check_same(f"{position.fingerprint} at {position.step}")

    forward = Forward(base, weights.first_layer, data, work=checkpoints)
    method.prepare(forward, weights)
    trainable = method.trainable(weights)
    meter = _Meter(position)
    labels = count_labels(data)
    ask = Questions(
        lambda rows: _loss_on(rows, forward, method, weights, labels, processes),
        lambda: processes.agree(meter.seconds > 60 * policy.most_minutes),
    )
    step = position.step
    while length.steps is None or step < length.steps:
        batch = length.batch(step)
        rows = processes.own(batch)
        share = sum(labels[n] for n in rows) / sum(labels[n] for n in batch)
        rows = rows or batch[:1]  # then of no weight: it is another process's

        output = forward(rows, method.around(weights.expert()))
        logits = base.model.logits(output.states)
        loss = share * functional.cross_entropy(logits, output.labels)
        penalty = method.penalty(Step(rows, weights.flat, output, logits, share, processes))
        total = loss if penalty is None else loss + penalty
        (gradient,) = torch.autograd.grad(total, weights.flat)
        gradient, loss, total = processes.sum(gradient, loss.detach(), total.detach())

        _check_finite("loss", float(total), step)
        if trainable is not None:
            gradient *= trainable
        norm = float(gradient.norm())
        _check_finite("gradient", norm, step)
        gradient *= min(1.0, policy.gradient_clip / max(norm, 1e-12))
        adam.step(gradient, length.rate(step), step + 1)

        step += 1
        meter.add(float(loss), sum(len(data[n].ids) for n in batch))
        length.after(step, float(loss), ask)
        if not processes.is_main:
            continue
        if on_progress is not None:
            on_progress(meter.progress(step, length.steps, length.story()))
        if checkpoints is not None and (step % policy.checkpoint_every == 0 or length.story()) and step != length.steps:
            here = meter.position(position.fingerprint, step, length.state())
            save_checkpoint(checkpoints, here, _state(weights, adam))

    expert = method.finish(weights.frozen())
    state = method.remember(forward, expert)
    end = meter.position(position.fingerprint, step, {})
    return TrainingResult(expert, step, end.tokens, end.seconds, meter.loss, state, length.record())


@torch.no_grad()
def _loss_on(
    rows: Sequence[int], forward: Forward, method: Method, weights: FlatWeights, labels: list[int], processes: Processes
) -> float:
    """Mean loss per token of rows that are not trained on; each process reads its share."""
    total = weights.flat.new_zeros(())
    expert = method.around(weights.expert())
    own = processes.own(sorted(rows, key=lambda n: len(forward.data[n].ids)))
    for at in range(0, len(own), ROWS_AT_ONCE):
        logits, output = forward.logits(own[at : at + ROWS_AT_ONCE], expert)
        total += functional.cross_entropy(logits, output.labels, reduction="sum")
    (total,) = processes.sum(total)
    return float(total) / sum(labels[n] for n in rows)


def _first_expert(base: Base, policy: TrainingPolicy, init_expert: Path | Expert | None, seed: int) -> Expert:
    if init_expert is not None:
        return load_expert(init_expert, base) if isinstance(init_expert, Path) else init_expert
    trunk = base.trunk_layers if policy.trunk_layers is None else policy.trunk_layers
    if trunk >= base.layers:
        raise InvalidInput(
            f"trunk_layers = {trunk} leaves nothing to train: this base has {base.layers} layers. Lower it.",
            field="trunk_layers",
        )
    return new_expert(base, trunk, policy.rank, policy.alpha, seed)


def _fingerprint(
    base: Base,
    data: list[Tokens],
    policy: TrainingPolicy,
    weights: FlatWeights,
    seed: int,
    method: Method,
    new: int | None,
) -> str:
    """Names everything that decides the outcome: a checkpoint of another training is not gone on from."""
    start = hashlib.sha256(weights.flat.detach().cpu().numpy().tobytes()).hexdigest()
    settings = policy.model_dump(mode="json")
    rows = [[e.ids, e.labels] for e in data]
    return sha256_json([base.hash, settings, seed, rows, new, start, method.fingerprint()])


def _state(weights: FlatWeights, adam: Adam) -> dict[str, torch.Tensor]:
    return {"weights": weights.flat.detach(), "mean": adam.mean, "square": adam.square}


def _check_finite(what: str, value: float, step: int) -> None:
    if not math.isfinite(value):
        raise TrainingFailed(
            f"The {what} was {value} at step {step + 1}. Look for broken rows in the new data, or lower "
            "training.learning_rate in the policy."
        )


class _Meter:
    """Counts on from where a checkpoint stood; speed is that of this attempt."""

    def __init__(self, position: Position) -> None:
        self._before = position
        self._started = time.monotonic()
        self._losses = deque(position.losses, RECENT)
        self._tokens = 0

    @property
    def loss(self) -> float:
        return sum(self._losses) / len(self._losses)

    def add(self, loss: float, tokens: int) -> None:
        self._losses.append(loss)
        self._tokens += tokens

    @property
    def seconds(self) -> float:
        """Of all attempts."""
        return self._before.seconds + time.monotonic() - self._started

    def progress(self, step: int, steps: int | None, sentence: str) -> Progress:
        seconds = max(time.monotonic() - self._started, 1e-9)
        left = None if steps is None else (steps - step) * seconds / (step - self._before.step)
        return Progress(step, steps, self.loss, self._tokens / seconds, left, sentence)

    def position(self, fingerprint: str, step: int, length: dict[str, Any]) -> Position:
        tokens = self._before.tokens + self._tokens
        return Position(fingerprint, step, tokens, self.seconds, tuple(self._losses), length)
