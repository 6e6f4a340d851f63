"""A decoder-only transformer of the Llama family (llama, mistral, qwen2, qwen3), small enough to read.

Trainer, evaluator and engine all run this one forward pass, so that what is served is what was evaluated. It computes
what `transformers` computes for these families (tests compare them), without its seconds of imports, and with what
CLM needs on top: running a part of the layers, and several LoRA experts in one batch.

Shapes: `tokens` is a flat axis over a whole batch (see Layout); `rows` are sequences. Rows are padded on the right, so
causal attention never sees a padding token.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

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

    def to(self, device: torch.device, dtype: torch.dtype) -> "Expert":
        weights = {place: (a.to(device, dtype), b.to(device, dtype)) for place, (a, b) in self.weights.items()}
        return Expert(weights, self.rank, self.alpha)


Adapters = Sequence[tuple[slice, Expert]]  # which tokens of the batch each expert answers; others: the base alone


@dataclass(frozen=True)
class Layout:
    """How a batch lies on the flat token axis: a prefix that all rows begin with, once, then `rows` of `width` tokens.

    Prompts of one task share their first tokens (system prompt, instruction); computing those once per batch instead
    of once per row saves about half of the work on short prompts.
    """

    prefix: int
    rows: int
    width: int

    def positions(self, device: torch.device) -> Tensor:
        own = torch.arange(self.prefix, self.prefix + self.width, device=device)
        return torch.cat((torch.arange(self.prefix, device=device), own.repeat(self.rows)))

    def visible(self, device: torch.device) -> Tensor:
        """`[width, prefix + width]`: what a row's token may attend to."""
        shape = (self.width, self.prefix + self.width)
        return torch.ones(shape, dtype=torch.bool, device=device).tril(self.prefix)


@dataclass
class KeyValues:
    """Cache of one batch: per layer `[rows, kv_heads, capacity, head_dim]`; row `i` holds `lengths[i]` tokens."""

    keys: list[Tensor]
    values: list[Tensor]
    lengths: Tensor

    def keep(self, rows: Tensor) -> None:
        self.keys = [k[rows] for k in self.keys]
        self.values = [v[rows] for v in self.values]
        self.lengths = self.lengths[rows]


class Decoder:
    """Weights (names as in the Hugging Face file) and the forward pass over them, on their device and in their type.

    Experts may be float32 over a bfloat16 base: what they compute is cast, their gradients are float32.
    """

    def __init__(self, config: DecoderConfig, weights: dict[str, Tensor]) -> None:
        self.config = config
        self.weights = weights
        self.embedding = weights["model.embed_tokens.weight"]
        self.output = self.embedding if config.tied else weights["lm_head.weight"]
        self.device, self.dtype = self.embedding.device, self.embedding.dtype
        self.frequencies = _rope_frequencies(config, self.device)

    def embed(self, ids: Tensor) -> Tensor:
        """`[tokens]` ids -> `[tokens, hidden]`."""
        return functional.embedding(ids, self.embedding)

    def logits(self, hidden: Tensor) -> Tensor:
        """`[n, hidden]` after the last layer -> `[n, vocabulary]`, float32 whatever the weights are."""
        return functional.linear(self._norm("model.norm", hidden), self.output).float()

    def forward(
        self,
        hidden: Tensor,
        layout: Layout,
        first: int,
        last: int,
        expert: Expert | None = None,
        cache: KeyValues | None = None,
    ) -> Tensor:
        """Whole sequences, `[tokens, hidden]`, through layers `first` … `last - 1`; fills `cache` where one is given.

        `cache.lengths` is left to the caller, who knows which tokens are padding.
        """
        adapters: Adapters = () if expert is None else ((slice(None), expert),)
        rope = self._rope(layout.positions(self.device))
        visible = layout.visible(self.device)
        prefix, rows = layout.prefix, layout.rows
        for layer in range(first, last):
            query, key, value = self._query_key_value(layer, hidden, rope, adapters)
            keys, values = _with_prefix(key, layout), _with_prefix(value, layout)
            if cache is not None:
                cache.keys[layer][:, :, : keys.shape[2]] = keys
                cache.values[layer][:, :, : values.shape[2]] = values
            own = query[prefix:].unflatten(0, (rows, -1)).transpose(1, 2)
            attended = _attend(own, self._share(keys), self._share(values), visible)
            attended = attended.transpose(1, 2).flatten(2).flatten(0, 1)
            if prefix:
                start = (part[:prefix].transpose(0, 1)[None] for part in (query, key, value))
                query, key, value = start
                shared = _attend(query, self._share(key), self._share(value))
                attended = torch.cat((shared[0].transpose(0, 1).flatten(1), attended))
            hidden = self._finish_layer(layer, hidden, attended, adapters)
        return hidden

    def step(self, hidden: Tensor, adapters: Adapters, cache: KeyValues) -> Tensor:
        """One more token per row, `[rows, hidden]`, through all layers; appends to `cache`."""
        config, rows = self.config, torch.arange(len(hidden), device=self.device)
        rope = self._rope(cache.lengths)
        used = int(cache.lengths.max()) + 1
        unused = torch.arange(used, device=self.device) > cache.lengths[:, None]
        mask = torch.zeros(unused.shape, device=self.device).masked_fill_(unused, -math.inf)[:, None, None, :]
        scale = config.head_dim**-0.5
        for layer in range(config.layers):
            query, key, value = self._query_key_value(layer, hidden, rope, adapters)
            keys, values = cache.keys[layer], cache.values[layer]
            keys[rows, :, cache.lengths] = key
            values[rows, :, cache.lengths] = value
            query = query.unflatten(1, (config.kv_heads, -1)) * scale  # heads that share keys side by side
            scores = query @ keys[:, :, :used].transpose(2, 3) + mask  # [rows, kv_heads, heads / kv_heads, used]
            attended = torch.softmax(scores, -1).to(self.dtype) @ values[:, :, :used]
            hidden = self._finish_layer(layer, hidden, attended.flatten(1), adapters)
        cache.lengths = cache.lengths + 1
        return hidden

    def new_cache(self, batch: int, capacity: int, layers: int | None = None) -> KeyValues:
        """Room for `capacity` tokens a row, in the first `layers` layers or in all."""
        shape = (batch, self.config.kv_heads, capacity, self.config.head_dim)
        keys, values = (
            [torch.zeros(shape, device=self.device, dtype=self.dtype) for _ in range(layers or self.config.layers)]
            for _ in range(2)
        )
        return KeyValues(keys, values, torch.zeros(0, device=self.device, dtype=torch.long))

    def _query_key_value(
        self, layer: int, hidden: Tensor, rope: tuple[Tensor, Tensor], adapters: Adapters
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Each `[tokens, heads or kv_heads, head_dim]`, the first two rotated."""
        normed = self._norm(f"model.layers.{layer}.input_layernorm", hidden)
        shape = (len(hidden), -1, self.config.head_dim)
        query = self._linear(layer, "q_proj", normed, adapters).view(shape)
        key = self._linear(layer, "k_proj", normed, adapters).view(shape)
        value = self._linear(layer, "v_proj", normed, adapters).view(shape)
        if self.config.query_key_norm:
            query = self._norm(f"model.layers.{layer}.self_attn.q_norm", query)
            key = self._norm(f"model.layers.{layer}.self_attn.k_norm", key)
        return _rotate(query, rope), _rotate(key, rope), value

    def _finish_layer(self, layer: int, hidden: Tensor, attended: Tensor, adapters: Adapters) -> Tensor:
        hidden = hidden + self._linear(layer, "o_proj", attended, adapters)
        normed = self._norm(f"model.layers.{layer}.post_attention_layernorm", hidden)
        gate = functional.silu(self._linear(layer, "gate_proj", normed, adapters))
        up = self._linear(layer, "up_proj", normed, adapters)
        return hidden + self._linear(layer, "down_proj", gate * up, adapters)

    def _share(self, keys: Tensor) -> Tensor:
        """Grouped-query attention: `[rows, kv_heads, seq, head_dim]` repeated for all heads."""
        return keys.repeat_interleave(self.config.heads // self.config.kv_heads, 1)

    def _linear(self, layer: int, name: str, x: Tensor, adapters: Adapters) -> Tensor:
        place = f"model.layers.{layer}.{LINEARS[name]}.{name}"
        y = functional.linear(x, self.weights[f"{place}.weight"], self.weights.get(f"{place}.bias"))
        for rows, expert in adapters:
            pair = expert.weights.get((layer, name))
            if pair is not None:
                a, b = pair[0].to(x.dtype), pair[1].to(x.dtype)
                delta = functional.linear(functional.linear(x[rows], a) * expert.scale, b)  # scaled where it is narrow
                if len(delta) == len(y):
                    y = y + delta
                else:
                    y[rows] += delta
        return y

    def _norm(self, name: str, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weights[f"{name}.weight"], self.config.norm_epsilon)

    def _rope(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines, each `[tokens, 1, head_dim]` (Su et al. 2021, arXiv:2104.09864)."""
        angles = positions[:, None].float() * self.frequencies
        angles = torch.cat((angles, angles), -1)[:, None]
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)


def _with_prefix(keys: Tensor, layout: Layout) -> Tensor:
    """`[tokens, kv_heads, head_dim]` -> `[rows, kv_heads, prefix + width, head_dim]`."""
    own = keys[layout.prefix :].unflatten(0, (layout.rows, layout.width))
    return torch.cat((keys[: layout.prefix].expand(layout.rows, -1, -1, -1), own), 1).transpose(1, 2)


def _attend(query: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention; `visible`, `[queries, keys]`, is causal where it isn't given."""
    if not (query.requires_grad and query.dtype == torch.bfloat16 and query.device.type == "cpu"):
        return functional.scaled_dot_product_attention(query, keys, values, visible, is_causal=visible is None)
    # The fused kernel's backward pass takes three to four times as long as these plain products in bfloat16 on a CPU.
    if visible is None:
        visible = torch.ones((query.shape[2], keys.shape[2]), dtype=torch.bool).tril()
    hidden = torch.zeros(visible.shape, dtype=query.dtype).masked_fill_(~visible, -math.inf)
    rows = query.shape[:2]
    scores = torch.baddbmm(hidden, query.flatten(0, 1), keys.flatten(0, 1).mT, alpha=query.shape[3] ** -0.5)
    return (torch.softmax(scores, -1) @ values.flatten(0, 1)).unflatten(0, rows)


def _rotate(x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * rope[0] + torch.cat((-right, left), -1) * rope[1]


def _rope_frequencies(config: DecoderConfig, device: torch.device) -> Tensor:
    exponents = torch.arange(0, config.head_dim, 2, device=device).float() / config.head_dim
    frequencies = 1.0 / config.rope_theta**exponents
    scaling = config.rope_scaling
    if scaling is None:
        return frequencies
    if scaling.kind == "linear":
        return frequencies / scaling.factor
    # llama3: long wavelengths are stretched by `factor`, short ones kept, those between interpolated.
    turns = scaling.original_positions * frequencies / (2 * math.pi)
    smooth = ((turns - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency)).clamp(0, 1)
    return frequencies * smooth + frequencies / scaling.factor * (1 - smooth)
