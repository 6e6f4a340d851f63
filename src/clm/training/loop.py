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
from clm.training.examples import Example, Tokens, tokenise
from clm.training.forward import Forward
from clm.training.order import batches_of_epoch
from clm.training.strategies.hooks import Method, Step
from clm.training.weights import Adam, FlatWeights

RECENT = 20  # steps over which the reported loss is averaged


@dataclass(frozen=True)
class Progress:
    step: int
    steps: int
    loss: float  # mean over the last steps, natural log per token
    tokens_per_second: float
    eta_seconds: float


@dataclass(frozen=True)
class TrainingResult:
    expert: Expert
    steps: int
    tokens: int  # of all examples seen, prompts included
    seconds: float  # over all attempts
    final_loss: float
    state: dict[str, Tensor] = field(default_factory=dict[str, Tensor])  # what the method needs at the next update


def train(
    base: Base,
    examples: Sequence[Example],
    policy: TrainingPolicy,
    init_expert: Path | Expert | None = None,
    checkpoints: Path | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    seed: int | None = None,
    method: Method | None = None,
) -> TrainingResult:
    """Trains an expert; the same inputs give the same weights on the same machine with the same number of threads.

    `init_expert`: go on from this expert (its rank and layers are kept). `checkpoints`: a folder from which a killed
    training goes on exactly. `seed` overrides the policy's. `method`: what keeps it from forgetting, see
    `clm.training.learning`, which chooses it; none is plain fine-tuning. Raises InvalidInput for examples or a policy
    that can't be trained on, TrainingFailed for a loss or gradient that is not finite.
    """
    seed = policy.seed if seed is None else seed
    method = method or Method()
    data = tokenise(base.tokenizer, examples, min(policy.max_tokens, base.model.config.max_positions))
    weights = FlatWeights(_first_expert(base, policy, init_expert, seed))
    adam = Adam(weights.flat)
    position = Position(
        _fingerprint(base, data, policy, weights, seed, method), step=0, tokens=0, seconds=0.0, losses=()
    )
    if checkpoints is not None and (saved := load_checkpoint(checkpoints, position.fingerprint)) is not None:
        position, tensors = saved
        for name, target in _state(weights, adam).items():
            target.data.copy_(tensors[name])

    forward = Forward(base, weights.first_layer, data)
    method.prepare(forward, weights)
    trainable = method.trainable(weights)
    meter = _Meter(position)
    per_epoch = math.ceil(len(data) / policy.batch_size)
    steps = policy.epochs * per_epoch
    for step in range(position.step, steps):
        epoch, at = divmod(step, per_epoch)
        rows = batches_of_epoch([len(e.ids) for e in data], policy.batch_size, seed, epoch)[at]

        output = forward(rows, method.around(weights.expert()))
        logits = base.model.logits(output.states)
        loss = functional.cross_entropy(logits, output.labels)
        penalty = method.penalty(Step(rows, weights.flat, output, logits))
        total = loss if penalty is None else loss + penalty
        _check_finite("loss", float(total.detach()), step, steps)

        (gradient,) = torch.autograd.grad(total, weights.flat)
        if trainable is not None:
            gradient *= trainable
        norm = float(gradient.norm())
        _check_finite("gradient", norm, step, steps)
        gradient *= min(1.0, policy.gradient_clip / max(norm, 1e-12))
        adam.step(gradient, learning_rate(policy, step, steps), step + 1)

        meter.add(float(loss.detach()), sum(len(data[n].ids) for n in rows))
        if on_progress is not None:
            on_progress(meter.progress(step + 1, steps))
        if checkpoints is not None and (step + 1) % policy.checkpoint_every == 0 and step + 1 < steps:
            save_checkpoint(checkpoints, meter.position(position.fingerprint, step + 1), _state(weights, adam))

    expert = method.finish(weights.frozen())
    state = method.remember(forward, expert)
    end = meter.position(position.fingerprint, steps)
    return TrainingResult(expert, steps, end.tokens, end.seconds, meter.loss, state)


def learning_rate(policy: TrainingPolicy, step: int, steps: int) -> float:
    """Linear warm-up over the first share of steps, then half a cosine down to nearly zero at the last."""
    warmup = math.ceil(policy.warmup_share * steps)
    if step < warmup:
        return policy.learning_rate * (step + 1) / warmup
    return policy.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


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
    base: Base, data: list[Tokens], policy: TrainingPolicy, weights: FlatWeights, seed: int, method: Method
) -> str:
    """Names everything that decides the outcome: a checkpoint of another training is not gone on from."""
    start = hashlib.sha256(weights.flat.detach().numpy().tobytes()).hexdigest()
    settings = policy.model_dump(mode="json")
    return sha256_json([base.hash, settings, seed, [[e.ids, e.labels] for e in data], start, method.fingerprint()])


def _state(weights: FlatWeights, adam: Adam) -> dict[str, torch.Tensor]:
    return {"weights": weights.flat.detach(), "mean": adam.mean, "square": adam.square}


def _check_finite(what: str, value: float, step: int, steps: int) -> None:
    if not math.isfinite(value):
        raise TrainingFailed(
            f"The {what} was {value} at step {step + 1} of {steps}. Look for broken rows in the new data, or lower "
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

    def progress(self, step: int, steps: int) -> Progress:
        seconds = max(time.monotonic() - self._started, 1e-9)
        left = (steps - step) * seconds / (step - self._before.step)
        return Progress(step, steps, self.loss, self._tokens / seconds, left)

    def position(self, fingerprint: str, step: int) -> Position:
        seconds = self._before.seconds + time.monotonic() - self._started
        return Position(fingerprint, step, self._before.tokens + self._tokens, seconds, tuple(self._losses))
