"""The frozen trunk: no expert changes it, so each example runs through it once and all epochs reuse what came out."""

import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from clm.llm.base import Base
from clm.llm.batches import Packed, common_prefix, group_by_length, pack
from clm.training.examples import Tokens

# States of all examples are kept in memory up to this size, then on disk, then computed anew in every epoch. A token
# takes 4 * hidden bytes: 2 GiB hold about 900,000 tokens of a base with 576 hidden units.
MAX_CACHE_BYTES = 2 * 1024**3
MAX_DISK_BYTES = 32 * 1024**3
MAX_DISK_SHARE = 0.5  # of what is free on the disk
ROWS, BATCH_TOKENS = 32, 4096  # per forward pass while the cache is filled


class Trunk:
    """Gives a batch's hidden states at the trunk's top, `[tokens, hidden]`, from where they are kept."""

    def __init__(self, base: Base, layers: int, examples: Sequence[Tokens], work: Path | None = None) -> None:
        """`work`: a folder for what does not fit into memory; none: the system's folder for temporary files."""
        self.base = base
        self.layers = layers
        self.examples = examples
        # One prefix for all batches, so that a token's state doesn't depend on its batch.
        self.prefix = common_prefix([e.ids for e in examples], [e.labels for e in examples])
        own = [len(e.ids) - self.prefix for e in examples]
        self._ends = torch.tensor(own, device="cpu").cumsum(0).tolist()
        self._kept = _room((sum(own) + self.prefix, base.hidden_size), base.model.dtype, work)
        if self._kept is not None:
            self._fill(self._kept)

    def batch(self, rows: Sequence[int]) -> tuple[Packed, Tensor]:
        """The batch's layout with labels, and its states."""
        ids, labels = [self.examples[n].ids for n in rows], [self.examples[n].labels for n in rows]
        packed = pack(ids, labels, self.prefix, device=self.base.model.device)
        if self._kept is None:
            return packed, self._forward(packed)
        own = torch.nn.utils.rnn.pad_sequence([self._own(self._kept, n) for n in rows], batch_first=True)
        states = torch.cat((self._kept[: self.prefix], own.flatten(0, 1)))
        return packed, states.to(self.base.model.device)

    def _own(self, kept: Tensor, example: int) -> Tensor:
        """Where an example's own states lie, behind the prefix and the examples before it."""
        start = self._ends[example - 1] if example else 0
        return kept[self.prefix + start : self.prefix + self._ends[example]]

    def _fill(self, kept: Tensor) -> None:
        for group in group_by_length([len(e.ids) for e in self.examples], ROWS, BATCH_TOKENS):
            ids = [self.examples[n].ids for n in group]
            packed = pack(ids, prefix=self.prefix, device=self.base.model.device)
            kept[: self.prefix], states = packed.split(self._forward(packed))
            for n, row in zip(group, states, strict=True):
                place = self._own(kept, n)
                place.copy_(row[: len(place)])

    @torch.no_grad()
    def _forward(self, packed: Packed) -> Tensor:
        return self.base.model.forward(self.base.model.embed(packed.ids), packed.layout, 0, self.layers)


def _room(shape: tuple[int, int], dtype: torch.dtype, work: Path | None) -> Tensor | None:
    """A tensor to fill: in the machine's own memory, or a file that vanishes with it; None where neither has room."""
    size = math.prod(shape) * dtype.itemsize
    if size <= MAX_CACHE_BYTES:
        return torch.empty(shape, dtype=dtype, device="cpu")
    folder = work or Path(tempfile.gettempdir())
    folder.mkdir(parents=True, exist_ok=True)
    if size > min(MAX_DISK_BYTES, MAX_DISK_SHARE * shutil.disk_usage(folder).free):
        return None
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".trunk-") as file:  # its name goes, the mapping stays
        mapped = torch.from_file(file.name, shared=True, size=math.prod(shape), dtype=dtype, device="cpu")
    return mapped.view(shape)
