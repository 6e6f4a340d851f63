"""In which order examples are trained on: shuffled, yet with examples of like length in a batch."""

import random
from collections.abc import Sequence

WINDOW = 8  # batches within which examples are sorted by length


def batches_of_epoch(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Indices of each batch, every index once. Depends on nothing but its arguments, so a resume needs no state."""
    random_order = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    random_order.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), WINDOW * batch_size):
        window = sorted(order[start : start + WINDOW * batch_size], key=lambda n: lengths[n])
        batches += [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
    random_order.shuffle(batches)
    return batches
