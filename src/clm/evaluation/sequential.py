"""Looks at a test before all of its examples are answered, with the error rate kept. Pure.

Examples are answered in an order that has nothing to do with their answers, and the claim "this is worse" is tested
after a quarter, a half, three quarters and all of them. Of the error rate α, α t² may be spent until share t of the
examples (the power family of Kim & DeMets 1987, Biometrika 74:149-154, after Lan & DeMets 1983); a look gets what is
added since the last one. With p(l) the p-value and w(l) the share of α at look l,

    sequential p = min over looks so far of p(l) / w(l)

is at most α with probability Σ α w(l) = α at most where the claim is wrong (Bonferroni over the looks), whatever the
test is and however its looks depend on each other. So it is a p-value itself and goes through Holm's correction.
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from functools import lru_cache

SHARES = (0.25, 0.5, 0.75, 1.0)
FIRST = 20  # examples, at least, before the first look
_ORDER = "examining order 1 "  # the same order for every update, so that its answers are there again


def examining_order(example_ids: Iterable[str]) -> list[str]:
    """Random, but always the same for the same examples."""
    return sorted(example_ids, key=_place)


@lru_cache(maxsize=100_000)
def _place(example_id: str) -> bytes:
    return hashlib.sha256((_ORDER + example_id).encode()).digest()


def look_sizes(n: int) -> list[int]:
    """After how many of n examples to look; the last is n."""
    sizes = (math.ceil(share * n) for share in SHARES)
    return sorted({size for size in sizes if FIRST <= size < n} | {n})


def shares_of_error(n: int) -> list[float]:
    """What each look may spend of the error rate; they add up to 1."""
    spent = [(size / n) ** 2 for size in look_sizes(n)]
    return [now - before for now, before in zip(spent, [0.0, *spent], strict=False)]


def sequential_p(p_of_first: Callable[[int], float], n: int, answered: int) -> float:
    """`p_of_first(k)`: the p-value from the first k examples in order; `answered` of n are there, up to a look."""
    p = 1.0
    for size, share in zip(look_sizes(n), shares_of_error(n), strict=True):
        if size <= answered:
            p = min(p, p_of_first(size) / share)
    return p
