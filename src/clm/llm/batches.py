"""Sequences side by side: grouped by length, their common beginning computed once, the rest padded on the right."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from clm.llm.decoder import Layout
from clm.llm.prompts import IGNORED


@dataclass(frozen=True)
class Packed:
    """A batch on the flat token axis of `layout`; `labels` is `[rows, width]` of the rows' own tokens."""

    ids: Tensor  # [tokens]
    lengths: Tensor  # [rows], prefix included
    layout: Layout
    labels: Tensor | None = None

    def split(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """`[tokens, hidden]` -> prefix `[prefix, hidden]` and the rows' own `[rows, width, hidden]`."""
        prefix = self.layout.prefix
        return hidden[:prefix], hidden[prefix:].unflatten(0, (self.layout.rows, self.layout.width))

    def inside(self) -> Tensor:
        """`[rows, width]`: True where a row's own token is no padding."""
        places = torch.arange(self.layout.width, device=self.lengths.device)
        return places < (self.lengths - self.layout.prefix)[:, None]

    def last(self, own: Tensor) -> Tensor:
        """`[rows, width, hidden]` of the rows' own tokens -> `[rows, hidden]`: each row's last."""
        return own[torch.arange(len(own), device=own.device), self.lengths - self.layout.prefix - 1]

    def predicting(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States that predict a labelled token `[n, hidden]`, those tokens `[n]`, and the row of each `[n]`.

        So that logits over the whole vocabulary are computed nowhere else.
        """
        if self.labels is None:
            raise ValueError("This batch was packed without labels.")
        rows, places = (self.labels[:, 1:] != IGNORED).nonzero(as_tuple=True)
        return self.split(hidden)[1][rows, places], self.labels[rows, places + 1], rows


def common_prefix(sequences: Sequence[Sequence[int]], labels: Sequence[Sequence[int]] | None = None) -> int:
    """How many first tokens all sequences share, leaving each at least one of its own, and, with labels, the one
    before its first label."""
    if len(sequences) < 2:
        return 0
    limit = min(len(ids) for ids in sequences) - 1
    if labels is not None:
        limit = min(limit, *(_first_label(row) - 1 for row in labels))
    low, high = min(map(list, sequences)), max(map(list, sequences))  # the two that differ earliest
    shared = 0
    while shared < limit and low[shared] == high[shared]:
        shared += 1
    return shared


def _first_label(labels: Sequence[int]) -> int:
    return next((n for n, label in enumerate(labels) if label != IGNORED), len(labels))


def pack(
    sequences: Sequence[Sequence[int]],
    labels: Sequence[Sequence[int]] | None = None,
    prefix: int | None = None,
    *,
    device: torch.device,
) -> Packed:
    """Lays sequences of token ids out as a batch on a device; `prefix` where it is known already."""
    sequences = [list(ids) for ids in sequences]
    prefix = common_prefix(sequences, labels) if prefix is None else prefix
    width = max(len(ids) for ids in sequences) - prefix
    own = [ids[prefix:] + [0] * (width + prefix - len(ids)) for ids in sequences]
    lengths = torch.tensor([len(ids) for ids in sequences], device=device)
    ids = torch.tensor([*sequences[0][:prefix], *(token for row in own for token in row)], device=device)
    padded = None
    if labels is not None:
        rows = [[*row[prefix:], *[IGNORED] * (width + prefix - len(row))] for row in labels]
        padded = torch.tensor(rows, device=device)
    return Packed(ids, lengths, Layout(prefix, len(sequences), width), padded)


def group_by_length(lengths: Sequence[int], max_rows: int, max_tokens: int) -> list[list[int]]:
    """Indices in groups of like length, each of at most `max_rows` and `max_tokens` once padded (at least one row)."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda n: (lengths[n], n)):
        group = groups[-1] if groups else []
        if group and len(group) < max_rows and (len(group) + 1) * lengths[index] <= max_tokens:
            group.append(index)
        else:
            groups.append([index])
    return groups
