"""Prompts as the untouched base reads them, up to the trunk's top: there the router decides, and from there any expert
that leaves the trunk alone can go on. So a prompt runs through the trunk once, not once to route and once to answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clm.llm.base import Base
from clm.llm.batches import Packed, group_by_length, pack
from clm.llm.decoder import KeyValues


@dataclass(frozen=True)
class Top:
    """One prompt's states at the trunk's top, and what its layers attend to."""

    hidden: Tensor  # [seq, hidden]
    keys: Tensor  # [trunk layers, kv_heads, seq, head_dim]
    values: Tensor  # the same


@dataclass(frozen=True)
class Reading:
    prompt_ids: Sequence[int]
    features: NDArray[np.float32]  # [2 * hidden]: mean and last-token state
    top: Top | None  # None: read for the router only


def read(base: Base, prompts: Sequence[Sequence[int]], max_rows: int, max_tokens: int, keep: bool) -> list[Reading]:
    """Readings in the order of the prompts, `max_tokens` at once. `keep`: with their tops, as far as `max_tokens` of
    all prompts go."""
    found: dict[int, Reading] = {}
    room = max_tokens if keep else 0
    for group in group_by_length([len(ids) for ids in prompts], max_rows, max_tokens):
        longest = max(len(prompts[n]) for n in group)
        room -= len(group) * longest
        cache = base.model.new_cache(len(group), longest, base.trunk_layers) if room >= 0 else None
        packed = pack([prompts[n] for n in group], device=base.model.device)
        hidden = base.model.forward(base.model.embed(packed.ids), packed.layout, 0, base.trunk_layers, cache=cache)
        features = _features(packed, hidden)
        for row, n in enumerate(group):
            found[n] = Reading(prompts[n], features[row], _top(packed, hidden, cache, row, len(prompts[n])))
    return [found[n] for n in range(len(prompts))]


def go_on(packed: Packed, tops: Sequence[Top], cache: KeyValues) -> Tensor:
    """`[tokens, hidden]` at the trunk's top of a batch whose rows were read; fills the trunk's part of `cache`."""
    for row, top in enumerate(tops):
        for layer, (keys, values) in enumerate(zip(top.keys, top.values, strict=True)):
            cache.keys[layer][row, :, : keys.shape[1]] = keys
            cache.values[layer][row, :, : values.shape[1]] = values
    prefix = packed.layout.prefix
    own = pad_sequence([top.hidden[prefix:] for top in tops], batch_first=True)
    return torch.cat((tops[0].hidden[:prefix], own.flatten(0, 1)))


def _features(packed: Packed, hidden: Tensor) -> NDArray[np.float32]:
    """`[rows, 2 * hidden]`."""
    prefix, own = packed.split(hidden.float())
    inside = packed.inside()[..., None]
    mean = (prefix.sum(0) + (own * inside).sum(1)) / packed.lengths[:, None]
    return torch.cat((mean, packed.last(own)), 1).cpu().numpy()


def _top(packed: Packed, hidden: Tensor, cache: KeyValues | None, row: int, length: int) -> Top | None:
    if cache is None:
        return None
    prefix, own = packed.split(hidden)
    keys, values = (torch.stack([part[row, :, :length] for part in parts]) for parts in (cache.keys, cache.values))
    return Top(torch.cat((prefix, own[row, : length - len(prefix)])), keys, values)
