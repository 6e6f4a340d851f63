"""A decoder-only transformer of the Llama family (llama, mistral, qwen2, qwen3), small enough to read.

Trainer, evaluator and engine all run this one forward pass, so that what is served is what was evaluated. It computes
what `transformers` computes for these families (tests compare them), without its seconds of imports, and with what
CLM needs on top: running a part of the layers, and several LoRA experts in one batch.

Shapes: `batch`, `seq`, `hidden`; rows are padded on the right, so plain causal attention never sees a padding token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from clm.llm.model_files import DecoderConfig

LINEARS = {
    "q_proj": "self_attn", "k_proj": "self_attn", "v_proj": "self_attn", "o_proj": "self_attn",
    "gate_proj": "mlp", "up_proj": "mlp", "down_proj": "mlp",
}  # fmt: skip


class Expert:
    """LoRA (Hu et al. 2021, arXiv:2106.09685): linear layer y = W x becomes y + B (A x) * scale.

    `weights[layer, name]` is `(A [rank, in], B [out, rank])` with `name` one of LINEARS.
    """

    def __init__(self, weights: dict[tuple[int, str], tuple[Tensor, Tensor]], rank: int, alpha: float) -> None:
        self.weights = weights
        self.rank = rank
        self.alpha = alpha
        self.scale = alpha / rank

    @property
    def layers(self) -> list[int]:
        return sorted({layer for layer, _ in self.weights})


Adapters = Sequence[tuple[slice, Expert]]  # which rows of the batch each expert answers; other rows: the base alone


@dataclass
class KeyValues:
    """Cache of one batch: per layer `[batch, kv_heads, capacity, head_dim]`; row `i` holds `lengths[i]` tokens."""

    keys: list[Tensor]
    values: list[Tensor]
    lengths: Tensor

    def keep(self, rows: Tensor) -> None:
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]
        self.lengths = self.lengths[rows]


class Decoder:
    """Weights (float32, names as in the Hugging Face file) and the forward pass over them."""

    def __init__(self, config: DecoderConfig, weights: dict[str, Tensor]) -> None:
        self.config = config
        self.weights = weights
        self.embedding = weights["model.embed_tokens.weight"]
        self.output = self.embedding if config.tied else weights["lm_head.weight"]
        self.frequencies = _rope_frequencies(config)
        self.attention_scale = config.head_dim**-0.5

    def embed(self, ids: Tensor) -> Tensor:
        """`[batch, seq]` token ids -> `[batch, seq, hidden]`."""
        return F.embedding(ids, self.embedding)

    def logits(self, hidden: Tensor) -> Tensor:
        """`[n, hidden]` after the last layer -> `[n, vocabulary]`."""
        return F.linear(self._norm("model.norm", hidden), self.output)

    def forward(
        self, hidden: Tensor, first: int, last: int, adapters: Adapters = (), cache: KeyValues | None = None
    ) -> Tensor:
        """Whole sequences from position 0 through layers `first` … `last - 1`; fills `cache` where one is given."""
        rope = self._rope(torch.arange(hidden.shape[1]))
        for layer in range(first, last):
            query, key, value = self._query_key_value(layer, hidden, rope, adapters)
            if cache is not None:
                cache.keys[layer][:, :, : key.shape[2]] = key
                cache.values[layer][:, :, : key.shape[2]] = value
            attended = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
            hidden = self._finish_layer(layer, hidden, attended, adapters)
        return hidden

    def step(self, hidden: Tensor, adapters: Adapters, cache: KeyValues) -> Tensor:
        """One more token per row, `[batch, 1, hidden]`, through all layers; appends to `cache`."""
        config, rows = self.config, torch.arange(hidden.shape[0])
        cosines, sines = self._rope(cache.lengths)
        rope = (cosines[:, None, None], sines[:, None, None])
        used = int(cache.lengths.max()) + 1
        unused = torch.arange(used) > cache.lengths[:, None]
        mask = torch.zeros(unused.shape).masked_fill_(unused, -math.inf)[:, None, None, :]
        grouped = (hidden.shape[0], config.kv_heads, config.heads // config.kv_heads, config.head_dim)
        for layer in range(config.layers):
            query, key, value = self._query_key_value(layer, hidden, rope, adapters)
            keys, values = cache.keys[layer], cache.values[layer]
            keys[rows, :, cache.lengths] = key[:, :, 0]
            values[rows, :, cache.lengths] = value[:, :, 0]
            scores = query.reshape(grouped) @ keys[:, :, :used].transpose(2, 3) * self.attention_scale + mask
            attended = torch.softmax(scores, -1) @ values[:, :, :used]
            attended = attended.reshape(hidden.shape[0], config.heads, 1, config.head_dim)
            hidden = self._finish_layer(layer, hidden, attended, adapters)
        cache.lengths = cache.lengths + 1
        return hidden

    def new_cache(self, batch: int, capacity: int) -> KeyValues:
        shape = (batch, self.config.kv_heads, capacity, self.config.head_dim)
        layers = range(self.config.layers)
        return KeyValues([torch.zeros(shape) for _ in layers], [torch.zeros(shape) for _ in layers], torch.zeros(0))

    def _query_key_value(
        self, layer: int, hidden: Tensor, rope: tuple[Tensor, Tensor], adapters: Adapters
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Each `[batch, heads or kv_heads, seq, head_dim]`, rotated."""
        normed = self._norm(f"model.layers.{layer}.input_layernorm", hidden)
        shape = (*hidden.shape[:2], -1, self.config.head_dim)
        query = self._linear(layer, "q_proj", normed, adapters).view(shape)
        key = self._linear(layer, "k_proj", normed, adapters).view(shape)
        value = self._linear(layer, "v_proj", normed, adapters).view(shape)
        if self.config.query_key_norm:
            query = self._norm(f"model.layers.{layer}.self_attn.q_norm", query)
            key = self._norm(f"model.layers.{layer}.self_attn.k_norm", key)
        return _rotate(query.transpose(1, 2), rope), _rotate(key.transpose(1, 2), rope), value.transpose(1, 2)

    def _finish_layer(self, layer: int, hidden: Tensor, attended: Tensor, adapters: Adapters) -> Tensor:
        attended = attended.transpose(1, 2).reshape(*hidden.shape[:2], -1)
        hidden = hidden + self._linear(layer, "o_proj", attended, adapters)
        normed = self._norm(f"model.layers.{layer}.post_attention_layernorm", hidden)
        gate = F.silu(self._linear(layer, "gate_proj", normed, adapters))
        up = self._linear(layer, "up_proj", normed, adapters)
        return hidden + self._linear(layer, "down_proj", gate * up, adapters)

    def _linear(self, layer: int, name: str, x: Tensor, adapters: Adapters) -> Tensor:
        place = f"model.layers.{layer}.{LINEARS[name]}.{name}"
        y = F.linear(x, self.weights[f"{place}.weight"], self.weights.get(f"{place}.bias"))
        for rows, expert in adapters:
            pair = expert.weights.get((layer, name))
            if pair is not None:
                delta = F.linear(F.linear(x[rows], pair[0]), pair[1]) * expert.scale
                if len(delta) == len(y):
                    y = y + delta
                else:
                    y[rows] += delta
        return y

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weights[f"{name}.weight"], self.config.norm_epsilon)

    def _rope(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines, each `[len(positions), head_dim]` (Su et al. 2021, arXiv:2104.09864)."""
        angles = positions[:, None].float() * self.frequencies
        angles = torch.cat((angles, angles), -1)
        return angles.cos(), angles.sin()


def _rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * rope[0] + torch.cat((-right, left), -1) * rope[1]


def _rope_frequencies(config: DecoderConfig) -> Tensor:
    frequencies = 1.0 / config.rope_theta ** (torch.arange(0, config.head_dim, 2).float() / config.head_dim)
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    # llama3: long wavelengths are stretched by `factor`, short ones kept, those between interpolated.
    turns = scaling.original_positions * frequencies / (2 * math.pi)
    smooth = ((turns - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency)).clamp(0, 1)
    return frequencies * smooth + frequencies / scaling.factor * (1 - smooth)
