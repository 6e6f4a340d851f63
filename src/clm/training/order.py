"""In which order examples are trained on: shuffled, yet with examples of like length in a batch."""

import math
import random
from collections.abc import Sequence

WINDOW = 8  # batches within which examples are sorted by length


class Order:
    """The batch of every step, over all epochs. Follows from its arguments alone, so a resume needs no state."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size, self._seed = lengths, batch_size, seed
        self.batches_per_epoch = math.ceil(len(lengths) / batch_size)
        self._epoch = -1
        self._batches: list[list[int]] = []

    def batch(self, step: int) -> list[int]:
        epoch, at = divmod(step, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._batches = batches_of_epoch(self._lengths, self._batch_size, self._seed, epoch)
        return self._batches[at]


def batches_of_epoch(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of each batch, every index once."""
    random_order = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    random_order.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), WINDOW * batch_size):
        window = sorted(order[start : start + WINDOW * batch_size], key=lambda n: lengths[n])
        batches += [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
    random_order.shuffle(batches)
    return batches
