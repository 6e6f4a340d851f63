"""The frozen trunk: no expert changes it, so each example runs through it once and all epochs reuse what came out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clm.llm.base import Base
from clm.llm.batches import Packed, common_prefix, group_by_length, pack
from clm.training.examples import Tokens

MAX_CACHE_BYTES = 2 * 1024**3
ROWS, BATCH_TOKENS = 32, 4096  # per forward pass while the cache is filled


class Trunk:
    """Gives a batch's hidden states at the trunk's top, `[tokens, hidden]`, from memory where they fit there."""

    def __init__(self, base: Base, layers: int, examples: Sequence[Tokens]) -> None:
        self.base = base
        self.layers = layers
        self.examples = examples
        # One prefix for all batches, so that a token's state doesn't depend on its batch.
        self.prefix = common_prefix([e.ids for e in examples], [e.labels for e in examples])
        tokens = sum(len(e.ids) - self.prefix for e in examples)
        self._own: list[Tensor] | None = None
        self._shared: Tensor | None = None
        if tokens * base.hidden_size * 4 <= MAX_CACHE_BYTES:
            self._fill()

    def batch(self, rows: Sequence[int]) -> tuple[Packed, Tensor]:
        """The batch's layout with labels, and its states."""
        packed = pack([self.examples[n].ids for n in rows], [self.examples[n].labels for n in rows], self.prefix)
        if self._own is None or self._shared is None:
            return packed, self._forward(packed)
        own = torch.nn.utils.rnn.pad_sequence([self._own[n] for n in rows], batch_first=True)
        return packed, torch.cat((self._shared, own.flatten(0, 1)))

    def _fill(self) -> None:
        own: dict[int, Tensor] = {}
        for group in group_by_length([len(e.ids) for e in self.examples], ROWS, BATCH_TOKENS):
            packed = pack([self.examples[n].ids for n in group], prefix=self.prefix)
            self._shared, states = packed.split(self._forward(packed))
            for n, row in zip(group, states, strict=True):
                own[n] = row[: len(self.examples[n].ids) - self.prefix].clone()
        self._own = [own[n] for n in range(len(self.examples))]

    @torch.no_grad()
    def _forward(self, packed: Packed) -> Tensor:
        return self.base.model.forward(self.base.model.embed(packed.ids), packed.layout, 0, self.layers)
