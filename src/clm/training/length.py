"""How long a training goes on, and how its learning rate runs.

`epochs`: so many passes, linear warm-up, then half a cosine. `auto`: a warm-up, then a constant rate for as long as it
helps (`clm.training.stopping`), then a fall in a line to zero (warm-up, stable, decay: Hu et al. 2024,
arXiv:2404.06395; Hägele et al. 2024, arXiv:2405.18392), because a cosine needs to know its end from its beginning.
The fall goes over all rows, so that those held back are learned too and nothing is trained twice.

Everything follows from rows, policy and seed, so a training that was cut off ends as it would have. `most_minutes`
alone asks a clock: it is a net, not the measure.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

from clm.policies import TrainingPolicy
from clm.training.examples import Example, Tokens
from clm.training.order import Order
from clm.training.stopping import Ended, Look, decide, held_back, is_falling, told

LOOK_STEPS = (10, 100)  # shortest and longest way between two looks; within them, whole epochs
FALL_SHARE = 0.3  # of the steps before, while the rate falls; half of `least_steps` at least


@dataclass(frozen=True)
class Questions:
    """What a look asks of the training. Under several processes all of them ask, and get one answer."""

    loss_on: Callable[[Sequence[int]], float]  # of rows, per token
    is_late: Callable[[], bool]  # the policy's minutes have passed


class Length(Protocol):
    """What the loop asks. `steps` is how many there will be, None while that is not decided."""

    @property
    def steps(self) -> int | None: ...
    def batch(self, step: int) -> list[int]: ...
    def rate(self, step: int) -> float: ...

    def after(self, step: int, loss: float, ask: Questions, /) -> None:
        """Told of each step that was taken, counted from 1."""
        ...

    def story(self) -> str:
        """What was seen after the last step, if that was one of those after which one looks; else empty."""
        ...

    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def record(self) -> dict[str, Any]: ...


def length_of(policy: TrainingPolicy, examples: Sequence[Example], data: Sequence[Tokens], seed: int) -> Length:
    """`examples` are those that may be held back, the first of `data`; what follows them is replayed."""
    lengths = [len(each.ids) for each in data]
    if policy.length == "epochs":
        return Epochs(policy, lengths, seed)
    return Auto(policy, lengths, held_back(examples, policy.held_back, seed), seed)


class _Looking:
    """Losses on the way; what of them a checkpoint keeps."""

    def __init__(self) -> None:
        self.steps: int | None = None
        self._looks: list[Look] = []
        self._losses: list[float] = []  # since the last look
        self._story = ""

    def story(self) -> str:
        return self._story

    def state(self) -> dict[str, Any]:
        return {"steps": self.steps, "looks": [astuple(look) for look in self._looks], "losses": self._losses}

    def restore(self, state: dict[str, Any]) -> None:
        self.steps, self._losses = state["steps"], list(state["losses"])
        self._looks = [Look(*look) for look in state["looks"]]

    def _look(self, step: int, held: float | None = None) -> Look:
        self._looks.append(Look(step, sum(self._losses) / len(self._losses), held))
        self._losses = []
        return self._looks[-1]


class Epochs(_Looking):
    """As many passes over the rows as the policy says."""

    def __init__(self, policy: TrainingPolicy, lengths: Sequence[int], seed: int) -> None:
        super().__init__()
        self._policy, self._order = policy, Order(lengths, policy.batch_size, seed)
        self.steps: int | None = policy.epochs * self._order.batches_per_epoch

    def batch(self, step: int) -> list[int]:
        return self._order.batch(step)

    def rate(self, step: int) -> float:
        return learning_rate(self._policy, step, self.steps or 1)

    def after(self, step: int, loss: float, _: Questions) -> None:
        self._losses.append(loss)
        if step % self._order.batches_per_epoch == 0:
            self._look(step)

    def record(self) -> dict[str, Any]:
        epochs = self._policy.epochs
        return {
            "rule": "epochs",
            "stopped": f"the policy asks for {epochs} epoch" + ("s" if epochs > 1 else ""),
            "still_falling": is_falling(self._looks),
            "steps": self.steps,
            "epochs": epochs,
            "held_back_rows": 0,
            "looks": told(self._looks),
        }


class Auto(_Looking):
    """As long as it helps, within the policy's bounds."""

    def __init__(self, policy: TrainingPolicy, lengths: Sequence[int], held: Sequence[int], seed: int) -> None:
        super().__init__()
        self._policy, self._lengths, self._held, self._seed = policy, lengths, list(held), seed
        apart = set(held)
        self._kept = [row for row in range(len(lengths)) if row not in apart]
        self._learning = Order([lengths[row] for row in self._kept], policy.batch_size, seed)
        self._per_epoch = self._learning.batches_per_epoch
        shortest, longest = LOOK_STEPS
        whole = self._per_epoch * math.ceil(shortest / self._per_epoch)
        # The rows' own losses are compared over whole epochs only: within one, other rows are as new as those before.
        self._every = min(longest, whole) if self._held else whole
        self._least_fall = max(1, policy.least_steps // 2)
        # With the fall behind it, `most_steps` are not exceeded.
        self._last = max(1, min(policy.most_steps - self._least_fall, math.floor(policy.most_steps / (1 + FALL_SHARE))))
        self._ended = Ended("", False)
        self._from = 0  # the step at which the rate begins to fall, once that is decided
        self._fall: tuple[list[int], Order] | None = None  # its rows, and their order

    def batch(self, step: int) -> list[int]:
        if self._fall is None:
            return [self._kept[row] for row in self._learning.batch(step)]
        rows, order = self._fall
        return [rows[at] for at in order.batch(step - self._from)]

    def rate(self, step: int) -> float:
        if self.steps is not None:
            return self._policy.learning_rate * (self.steps - step) / (self.steps - self._from + 1)
        warm_up = max(1, round(self._policy.warmup_share * self._policy.least_steps))
        return self._policy.learning_rate * min(1.0, (step + 1) / warm_up)

    def after(self, step: int, loss: float, ask: Questions) -> None:
        self._story = ""
        if self.steps is not None:
            return
        self._losses.append(loss)
        on_time = step % self._every == 0 or step == self._last
        late = (on_time or step % LOOK_STEPS[1] == 0) and ask.is_late()
        if not on_time and not late:
            return
        look = self._look(step, ask.loss_on(self._held) if self._held else None)
        held = "" if look.held_back is None else f", {look.held_back:.3f} on rows held back"
        self._story = f"After {step} steps: loss {look.loss:.3f}{held}."
        ended = decide(self._looks, self._policy, self._last, late)
        if ended is not None:
            self._end(step, ended)
            self._story += f" Enough: {ended.reason}. The learning rate falls to zero until step {self.steps}."

    def _end(self, step: int, ended: Ended) -> None:
        fall = min(max(self._least_fall, round(FALL_SHARE * step)), max(1, self._policy.most_steps - step))
        self.steps, self._from, self._ended = step + fall, step, ended
        rows = list(range(len(self._lengths)))
        room = fall * self._policy.batch_size
        if room < len(rows):  # those held back come, and of the others as many as there is room for
            others = random.Random(f"{self._seed}/fall").sample(self._kept, max(0, room - len(self._held)))
            rows = sorted([*self._held, *others])
        self._fall = rows, Order([self._lengths[row] for row in rows], self._policy.batch_size, self._seed + 1)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "from": self._from, "ended": astuple(self._ended)}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        if self.steps is not None:
            self._end(state["from"], Ended(*state["ended"]))

    def record(self) -> dict[str, Any]:
        epochs = self._from / self._per_epoch
        passes = f"{epochs:.0f}" if epochs >= 10 else f"{epochs:.1f}"
        return {
            "rule": "held back" if self._held else "known",
            "stopped": f"{self._ended.reason} after {passes} epochs ({self._from} steps)",
            "still_falling": self._ended.still_falling,
            "steps": self.steps,
            "epochs": round(epochs, 2),
            "held_back_rows": len(self._held),
            "looks": told(self._looks),
        }


def learning_rate(policy: TrainingPolicy, step: int, steps: int) -> float:
    """Linear warm-up over the first share of steps, then half a cosine down to nearly zero at the last."""
    warmup = math.ceil(policy.warmup_share * steps)
    if step < warmup:
        return policy.learning_rate * (step + 1) / warmup
    return policy.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def expected_steps(policy: TrainingPolicy, rows: int) -> int:
    """About how many steps a training on so many rows takes; of `auto` that is known only when it has ended."""
    per_epoch = math.ceil(rows / policy.batch_size)
    if policy.length == "epochs":
        return policy.epochs * per_epoch
    return min(policy.most_steps, max(policy.least_steps, policy.epochs * per_epoch))
