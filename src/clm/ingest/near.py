"""Near-duplicates: prompts that share nearly all of their characters. Pure.

MinHash (Broder 1997) over character 4-grams of the normalised prompt, in bands, finds the pairs worth comparing.
"""

import zlib
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clm.core.content import normalised

SIMILAR = 0.85  # Jaccard similarity from which on two prompts count as the same question
_GRAM, _BANDS, _ROWS = 4, 8, 4  # a pair at 0.85 is found with probability 0.997
_PRIME = np.uint64(4_294_967_291)
_DICE = np.random.default_rng(17)
_FACTORS = _DICE.integers(1, int(_PRIME), _BANDS * _ROWS, dtype=np.uint64)[:, None]
_SHIFTS = _DICE.integers(0, int(_PRIME), _BANDS * _ROWS, dtype=np.uint64)[:, None]


@dataclass(frozen=True, eq=False)
class Signature:
    grams: NDArray[np.uint32]  # hashes, each once, in order
    bands: tuple[bytes, ...]


def signature(prompt: str) -> Signature:
    text = normalised(prompt).encode()
    hashes = {zlib.crc32(text[at : at + _GRAM]) for at in range(max(1, len(text) - _GRAM + 1))}
    grams = np.array(sorted(hashes), np.uint32)
    with np.errstate(over="ignore"):  # the product wraps at 2^64, which mixes as well
        lowest = ((grams.astype(np.uint64)[None, :] * _FACTORS + _SHIFTS) % _PRIME).min(axis=1).astype(np.uint32)
    return Signature(grams, tuple(lowest[at : at + _ROWS].tobytes() for at in range(0, _BANDS * _ROWS, _ROWS)))


def similarity(one: Signature, other: Signature) -> float:
    """Jaccard similarity of the two prompts' 4-grams."""
    shared = len(np.intersect1d(one.grams, other.grams, assume_unique=True))
    return shared / (len(one.grams) + len(other.grams) - shared)


class Neighbours:
    """Finds what is near among what was added, each in a group (here: its answer); other groups are never near."""

    def __init__(self) -> None:
        self._bands: dict[tuple[Hashable, int, bytes], list[int]] = {}
        self._added: list[tuple[str, Signature]] = []

    def add(self, group: Hashable, name: str, its: Signature) -> None:
        for band, key in enumerate(its.bands):
            self._bands.setdefault((group, band, key), []).append(len(self._added))
        self._added.append((name, its))

    def near(self, group: Hashable, its: Signature) -> set[str]:
        """Names of those that are SIMILAR to it."""
        likely = {at for band, key in enumerate(its.bands) for at in self._bands.get((group, band, key), ())}
        return {name for name, other in (self._added[at] for at in likely) if similarity(its, other) >= SIMILAR}
