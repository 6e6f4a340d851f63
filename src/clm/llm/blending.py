"""Several experts on one prompt: their weighted sum, run as one expert and kept while it is asked for.

A blend is named by its parts, `0.7*<hash>+0.3*<hash>`, and the name goes wherever an expert's hash goes: requests
with equal blends share a batch, and stored answers are found again. Mixing LoRA experts by a router's probabilities:
Muqeeth et al. 2023 (arXiv:2306.03745), Huang et al. 2023 (LoraHub, arXiv:2307.13269).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from clm.llm.arithmetic import stack
from clm.llm.blends import parts_of
from clm.llm.decoder import Expert

MOST_KEPT = 16  # each is as large as its parts together


class Blends:
    """Thread-safe; the least recently used ones go first. Whoever holds one may go on using it."""

    def __init__(self, find: Callable[[str], Expert]) -> None:
        self._find = find
        self._kept: OrderedDict[str, Expert] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Expert:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = stack([(self._find(expert), weight) for expert, weight in parts_of(name)])
            self._kept.move_to_end(name)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return self._kept[name]

    def forget(self, expert_hash: str) -> None:
        """Drops what holds this expert."""
        with self._lock:
            for name in [n for n in self._kept if expert_hash in dict(parts_of(n))]:
                del self._kept[name]
