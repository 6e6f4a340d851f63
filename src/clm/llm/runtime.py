"""Answers, features and likelihoods of a base with many experts: what the gate evaluates and the engine serves.

Greedy answers depend on prompt and expert alone; batch mates change sums in float32's last digits only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clm.errors import InvalidInput, unknown_name
from clm.llm.base import Base
from clm.llm.batches import Packed, group_by_length, pack
from clm.llm.blending import Blends
from clm.llm.blends import parts_of
from clm.llm.decoder import Adapters, Expert, KeyValues
from clm.llm.experts import load_expert
from clm.llm.points import Point
from clm.llm.prompts import IGNORED
from clm.llm.reading import Reading, Top, go_on, read
from clm.llm.sampling import choose
from clm.llm.streaming import AnswerStream

MAX_ROWS = 32  # of a batch
MAX_BATCH_TOKENS = 8192  # cached tokens of a batch, prompts and answers: bounds memory


@dataclass(frozen=True)
class GenerationRequest:
    """One prompt. `temperature` 0 is greedy; else sampled from the `top_p` nucleus with `seed`."""

    prompt_ids: Sequence[int]
    expert_hash: str | None = None  # None: the base
    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completion:
    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str  # "stop" | "length"


OnToken = Callable[[int, str], None]  # index of the request, text that came new
ShouldStop = Callable[[int], bool]


@dataclass
class _Row:
    """A request on its way: its place in the caller's list, its stream and its random numbers."""

    index: int
    request: GenerationRequest
    stream: AnswerStream
    random: np.random.Generator
    expert: Expert | None  # held for the answer's time
    reading: Reading | None
    tokens: int = 0
    finish_reason: str = ""


class Runtime:
    """Threads may generate side by side: they share the weights and nothing else. Experts are loaded and unloaded only
    while none does (the engine's scheduler sees to it)."""

    def __init__(self, base: Base) -> None:
        self.base = base
        self.experts: dict[str, Expert] = {}
        self._blends = Blends(self._loaded)

    def load_expert(self, expert_hash: str, path: Path) -> None:
        """Verifies and loads; a loaded one is kept. Raises TamperedArtifact or UnsafeModel."""
        if expert_hash not in self.experts:
            expert = load_expert(path, self.base, expert_hash)
            self.experts[expert_hash] = expert.to(self.base.model.device, self.base.model.dtype)

    def unload_expert(self, expert_hash: str) -> None:
        self.experts.pop(expert_hash, None)
        self._blends.forget(expert_hash)

    @torch.inference_mode()
    def features(self, prompts: Sequence[Sequence[int]], point: Point | None = None) -> NDArray[np.float32]:
        """What a router that reads at `point` sees of the prompts, `[n, point's width]`: states of the base alone.

        None: where new routers read (`Base.reading`).
        """
        _check_prompts(prompts, self.base)
        point = point or self.base.reading
        readings = read(self.base, prompts, [point], MAX_ROWS, MAX_BATCH_TOKENS, keep=False)
        width = point.width(self.base.hidden_size)
        return np.array([r.features[point] for r in readings], np.float32).reshape(-1, width)

    @torch.inference_mode()
    def read(self, prompts: Sequence[Sequence[int]], points: Sequence[Point] = ()) -> list[Reading]:
        """The prompts' features for routers that read at `points`, and what `generate` needs to go on from there."""
        _check_prompts(prompts, self.base)
        points = points or [self.base.reading]
        return read(self.base, prompts, points, MAX_ROWS, MAX_BATCH_TOKENS, keep=True)

    @torch.inference_mode()
    def log_likelihood(
        self, examples: Sequence[tuple[Sequence[int], Sequence[int]]], expert_hash: str | None
    ) -> NDArray[np.float64]:
        """Mean natural-log likelihood per labelled token, `[n]`. Raises InvalidInput for an example without labels."""
        _check_prompts([ids for ids, _ in examples], self.base)
        expert = self._expert(expert_hash)
        likelihoods = np.zeros(len(examples))
        for group in group_by_length([len(ids) for ids, _ in examples], MAX_ROWS, MAX_BATCH_TOKENS // 2):
            for n in group:
                if all(label == IGNORED for label in examples[n][1][1:]):
                    raise InvalidInput("An example without any token to predict has no likelihood.")
            labels = [examples[n][1] for n in group]
            packed = pack([examples[n][0] for n in group], labels, device=self.base.model.device)
            hidden = self.base.model.embed(packed.ids)
            hidden = self.base.model.forward(hidden, packed.layout, 0, self.base.layers, expert)
            states, labels, rows = packed.predicting(hidden)
            losses = torch.cat([
                functional.cross_entropy(self.base.model.logits(part), truth, reduction="none")
                for part, truth in zip(states.split(512), labels.split(512), strict=True)
            ]).double()  # fmt: skip
            sums = losses.new_zeros(len(group)).index_add_(0, rows, losses)
            likelihoods[group] = (-sums / rows.bincount(minlength=len(group))).cpu().numpy()
        return likelihoods

    @torch.inference_mode()
    def generate(
        self,
        requests: Sequence[GenerationRequest],
        on_token: OnToken | None = None,
        should_stop: ShouldStop | None = None,
        readings: Sequence[Reading | None] = (),
    ) -> list[Completion]:
        """Answers in the order of the requests, whatever experts they name, blends too (`clm.llm.blending`).

        `on_token` gets text as soon as it can't be part of a stop sequence; `should_stop` is asked before every token.
        `readings`: per request what `read` gave for its prompt, so that it isn't read again. Raises InvalidInput for an
        empty or overlong prompt, NotFound for an expert that is not loaded.
        """
        _check_prompts([r.prompt_ids for r in requests], self.base)
        rows = [
            _Row(n, request, AnswerStream(self.base.tokenizer, request.stop), np.random.default_rng(request.seed),
                 self._expert(request.expert_hash), reading)
            for n, (request, reading) in enumerate(zip(requests, readings or [None] * len(requests), strict=True))
        ]  # fmt: skip
        sizes = [len(r.prompt_ids) + r.max_new_tokens for r in requests]
        for group in group_by_length(sizes, MAX_ROWS, MAX_BATCH_TOKENS):
            # Rows of one expert lie side by side, so that it answers one slice of the batch.
            self._generate_batch(sorted((rows[n] for n in group), key=_expert_name), on_token, should_stop)
        return [Completion(row.stream.text, len(row.request.prompt_ids), row.tokens, row.finish_reason) for row in rows]

    def _generate_batch(self, rows: list[_Row], on_token: OnToken | None, should_stop: ShouldStop | None) -> None:
        limit = self.base.model.config.max_positions
        capacity = min(limit, max(len(row.request.prompt_ids) + row.request.max_new_tokens for row in rows))
        cache = self.base.model.new_cache(len(rows), capacity)
        logits = self._prefill(rows, cache)
        while True:
            tokens = [choose(row.request, scores, row.random) for row, scores in zip(rows, logits, strict=True)]
            for row, token, length in zip(rows, tokens, cache.lengths.tolist(), strict=True):
                self._accept(row, token, length + 1 >= limit, on_token, should_stop)
            going = [n for n, row in enumerate(rows) if not row.finish_reason]
            if not going:
                return
            if len(going) < len(rows):
                cache.keep(torch.tensor(going, device=self.base.model.device))
                rows, tokens = [rows[n] for n in going], [tokens[n] for n in going]
            hidden = self.base.model.embed(torch.tensor(tokens, device=self.base.model.device))
            logits = self.base.model.logits(self.base.model.step(hidden, _adapters(rows), cache))

    def _prefill(self, rows: list[_Row], cache: KeyValues) -> Tensor:
        """Runs the prompts, expert by expert (rows of one share their prefix), and returns `[rows, vocabulary]`."""
        states: list[Tensor] = []
        lengths: list[Tensor] = []
        for part in _slices(rows):
            packed: Packed = pack([row.request.prompt_ids for row in rows[part]], device=self.base.model.device)
            own_cache = KeyValues([k[part] for k in cache.keys], [v[part] for v in cache.values], packed.lengths)
            expert, tops = rows[part.start].expert, [self._top(row) for row in rows[part]]
            if None in tops:
                first, hidden = 0, self.base.model.embed(packed.ids)
            else:
                first, hidden = self.base.trunk_layers, go_on(packed, [t for t in tops if t is not None], own_cache)
            hidden = self.base.model.forward(hidden, packed.layout, first, self.base.layers, expert, own_cache)
            states.append(packed.last(packed.split(hidden)[1]))
            lengths.append(packed.lengths)
        cache.lengths = torch.cat(lengths)
        return self.base.model.logits(torch.cat(states))

    def _accept(
        self, row: _Row, token: int, full: bool, on_token: OnToken | None, should_stop: ShouldStop | None
    ) -> None:
        if token in self.base.tokenizer.end_ids or (should_stop is not None and should_stop(row.index)):
            row.finish_reason = "stop"
        else:
            row.tokens += 1
            new_text = row.stream.add(token)
            if row.stream.stopped:
                row.finish_reason = "stop"
            elif row.tokens >= row.request.max_new_tokens or full:
                row.finish_reason = "length"
            if new_text and on_token is not None:
                on_token(row.index, new_text)
        if row.finish_reason:
            rest = row.stream.finish()
            if rest and on_token is not None:
                on_token(row.index, rest)

    def _top(self, row: _Row) -> Top | None:
        """Where the row's answer can go on from: an expert that changes the trunk reads for itself."""
        if row.reading is None or list(row.reading.prompt_ids) != list(row.request.prompt_ids):
            return None
        if row.expert is not None and row.expert.layers[0] < self.base.trunk_layers:
            return None
        return row.reading.top

    def _expert(self, expert_hash: str | None) -> Expert | None:
        if expert_hash is None:
            return None
        return self._blends.get(expert_hash) if parts_of(expert_hash) else self._loaded(expert_hash)

    def _loaded(self, expert_hash: str) -> Expert:
        if expert_hash not in self.experts:
            raise unknown_name("loaded expert", expert_hash, list(self.experts))
        return self.experts[expert_hash]


def _expert_name(row: _Row) -> str:
    return row.request.expert_hash or ""


def _adapters(rows: list[_Row]) -> Adapters:
    experts = ((part, rows[part.start].expert) for part in _slices(rows))
    return [(part, expert) for part, expert in experts if expert is not None]


def _slices(rows: list[_Row]) -> list[slice]:
    """Runs of rows with the same expert."""
    starts = [n for n, row in enumerate(rows) if n == 0 or _expert_name(row) != _expert_name(rows[n - 1])]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], len(rows)], strict=True)]


def _check_prompts(prompts: Sequence[Sequence[int]], base: Base) -> None:
    limit = base.model.config.max_positions
    for ids in prompts:
        if not ids:
            raise InvalidInput("A prompt without any token can't be answered.")
        if len(ids) >= limit:
            raise InvalidInput(f"A prompt of {len(ids)} tokens is too long: this base reads {limit - 1} at most.")
