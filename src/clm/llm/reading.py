"""Prompts as the untouched base reads them, up to the trunk's top: on the way there the router gets its features, and
from there any expert that leaves the trunk alone can go on. So a prompt runs through the trunk once, not once to route
and once to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from clm.llm.base import Base
from clm.llm.batches import Packed, group_by_length, pack
from clm.llm.decoder import KeyValues
from clm.llm.points import Point


@dataclass(frozen=True)
class Top:
    """One prompt's states at the trunk's top, and what its layers attend to."""

    hidden: Tensor  # [seq, hidden]
    keys: Tensor  # [trunk layers, kv_heads, seq, head_dim]
    values: Tensor  # the same


@dataclass(frozen=True)
class Reading:
    prompt_ids: Sequence[int]
    features: Mapping[Point, NDArray[np.float32]]  # [point's width] each
    top: Top | None  # None: read for the router only


def read(
    base: Base, prompts: Sequence[Sequence[int]], points: Sequence[Point], max_rows: int, max_tokens: int, keep: bool
) -> list[Reading]:
    """Readings in the order of the prompts, `max_tokens` at once, with the features of all `points`.

    `keep`: with their tops, as far as `max_tokens` of all prompts go.
    """
    readings: dict[int, Reading] = {}
    room = max_tokens if keep else 0
    for group in group_by_length([len(ids) for ids in prompts], max_rows, max_tokens):
        longest = max(len(prompts[n]) for n in group)
        room -= len(group) * longest
        cache = base.model.new_cache(len(group), longest, base.trunk_layers) if room >= 0 else None
        packed = pack([prompts[n] for n in group], device=base.model.device)
        features, hidden = _up(base, packed, points, cache)
        for row, n in enumerate(group):
            mine = {point: values[row] for point, values in features.items()}
            readings[n] = Reading(prompts[n], mine, _top(packed, hidden, cache, row, len(prompts[n])))
    return [readings[n] for n in range(len(prompts))]


def _up(
    base: Base, packed: Packed, points: Sequence[Point], cache: KeyValues | None
) -> tuple[dict[Point, NDArray[np.float32]], Tensor]:
    """Features at each point, `[rows, width]`, and, for a cache, the states at the trunk's top `[tokens, hidden]`.

    No layer runs twice, and none above the highest that is asked for.
    """
    hidden, done = base.model.embed(packed.ids), 0
    top = hidden
    features: dict[Point, NDArray[np.float32]] = {}
    for layer in sorted({point.layer for point in points} | ({base.trunk_layers} if cache is not None else set())):
        # Only the trunk's keys are kept: what lies above is the expert's.
        hidden = base.model.forward(
            hidden, packed.layout, done, layer, cache=cache if done < base.trunk_layers else None
        )
        done = layer
        if layer == base.trunk_layers:
            top = hidden
        features |= {point: _pooled(packed, hidden, point) for point in points if point.layer == layer}
    return features, top


def go_on(packed: Packed, tops: Sequence[Top], cache: KeyValues) -> Tensor:
    """`[tokens, hidden]` at the trunk's top of a batch whose rows were read; fills the trunk's part of `cache`."""
    for row, top in enumerate(tops):
        for layer, (keys, values) in enumerate(zip(top.keys, top.values, strict=True)):
            cache.keys[layer][row, :, : keys.shape[1]] = keys
            cache.values[layer][row, :, : values.shape[1]] = values
    prefix = packed.layout.prefix
    own = pad_sequence([top.hidden[prefix:] for top in tops], batch_first=True)
    return torch.cat((tops[0].hidden[:prefix], own.flatten(0, 1)))


def _pooled(packed: Packed, hidden: Tensor, point: Point) -> NDArray[np.float32]:
    """`[rows, width]`."""
    prefix, own = packed.split(hidden.float())
    inside = packed.inside()[..., None]
    mean = (prefix.sum(0) + (own * inside).sum(1)) / packed.lengths[:, None]
    pooled = {"mean": mean, "last": packed.last(own)}
    return torch.cat([pooled[part] for part in point.pooling.split("+")], 1).cpu().numpy()


def _top(packed: Packed, hidden: Tensor, cache: KeyValues | None, row: int, length: int) -> Top | None:
    if cache is None:
        return None
    prefix, own = packed.split(hidden)
    keys, values = (torch.stack([part[row, :, :length] for part in parts]) for parts in (cache.keys, cache.values))
    return Top(torch.cat((prefix, own[row, : length - len(prefix)])), keys, values)
