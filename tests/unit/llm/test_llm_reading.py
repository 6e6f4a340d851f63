"""What the router read is not read again for the answer, and nothing of the answer changes by it."""

from typing import Any

import numpy as np
import pytest
import torch

from clm.llm.base import Base, load_base
from clm.llm.batches import pack
from clm.llm.decoder import Decoder, Expert, Layout
from clm.llm.experts import new_expert
from clm.llm.points import Point
from clm.llm.prompts import chat_ids
from clm.llm.reading import go_on
from clm.llm.runtime import MAX_BATCH_TOKENS, GenerationRequest, Runtime
from tiny import tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


@pytest.fixture(scope="module")
def prompts(base: Base) -> list[list[int]]:
    said = ["one", "two and more", "1", "a rather long prompt, with a comma", "five", "six six"]
    return [chat_ids(base.tokenizer, [{"role": "user", "content": text}]) for text in said]


@pytest.fixture(scope="module")
def runtime(base: Base) -> Runtime:
    runtime = Runtime(base)
    for name, first_layer in (("upper", 2), ("other", 3), ("deep", 1)):
        expert = new_expert(base, first_layer, rank=4, alpha=8, seed=first_layer)
        random = torch.Generator().manual_seed(first_layer)
        changed = {k: (a.cpu(), torch.randn(b.shape, generator=random) * 0.2) for k, (a, b) in expert.weights.items()}
        runtime.experts[name] = Expert(changed, 4, 8).to(base.model.device, base.model.dtype)
    return runtime


def _requests(prompts: list[list[int]]) -> list[GenerationRequest]:
    experts = (None, "upper", "other", "upper", "deep", None)
    return [GenerationRequest(p, expert, max_new_tokens=8) for p, expert in zip(prompts, experts, strict=True)]


def test_answers_that_go_on_from_a_reading_are_the_same(runtime: Runtime, prompts: list[list[int]]) -> None:
    readings = runtime.read(prompts)
    point = runtime.base.reading
    np.testing.assert_allclose(np.stack([r.features[point] for r in readings]), runtime.features(prompts), atol=1e-5)
    requests = _requests(prompts)
    assert runtime.generate(requests, readings=readings) == runtime.generate(requests)


def test_two_routers_that_read_at_different_points_share_one_pass(
    base: Base, runtime: Runtime, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [base.reading, base.old_reading, Point(3, "mean")]
    apart = {point: runtime.features(prompts, point) for point in points}
    seen: list[int] = []  # layers run, a batch each
    forward = Decoder.forward

    def watched(
        self: Decoder, hidden: torch.Tensor, layout: Layout, first: int, last: int, *rest: Any, **more: Any
    ) -> torch.Tensor:
        seen.extend(range(first, last))
        return forward(self, hidden, layout, first, last, *rest, **more)

    monkeypatch.setattr(Decoder, "forward", watched)
    readings = runtime.read(prompts, points)
    assert max(map(seen.count, seen)) == seen.count(0)  # no layer more often than there are batches
    for point in points:
        np.testing.assert_allclose(np.stack([r.features[point] for r in readings]), apart[point], atol=1e-5)
    monkeypatch.undo()
    requests = _requests(prompts)
    assert runtime.generate(requests, readings=readings) == runtime.generate(requests)


def test_a_point_says_which_states_of_the_base_are_read(base: Base, runtime: Runtime, prompts: list[list[int]]) -> None:
    model = base.model
    packed = pack(prompts[:1], device=model.device)
    with torch.inference_mode():
        states = model.forward(model.embed(packed.ids), packed.layout, 0, 3).cpu().numpy()
    np.testing.assert_allclose(runtime.features(prompts[:1], Point(3, "mean"))[0], states.mean(0), atol=1e-5)
    both = np.concatenate([states.mean(0), states[-1]])
    np.testing.assert_allclose(runtime.features(prompts[:1], Point(3, "mean+last"))[0], both, atol=1e-5)
    assert (base.reading, base.old_reading) == (Point(1, "mean"), Point(2, "mean+last"))


def test_the_trunks_states_and_keys_are_those_of_a_whole_pass(
    base: Base, runtime: Runtime, prompts: list[list[int]]
) -> None:
    model, chosen = base.model, [3, 1, 4]
    tops = [top for r in runtime.read(prompts) if (top := r.top) is not None]
    packed = pack([prompts[n] for n in chosen], device=model.device)
    caches = [model.new_cache(len(chosen), 100) for _ in range(2)]
    with torch.inference_mode():
        going = go_on(packed, [tops[n] for n in chosen], caches[0])
        whole = model.forward(model.embed(packed.ids), packed.layout, 0, base.trunk_layers, cache=caches[1])
    prefix = torch.ones(packed.layout.prefix, dtype=torch.bool, device=model.device)
    inside = torch.cat((prefix, packed.inside().flatten()))
    torch.testing.assert_close(going[inside], whole[inside], atol=1e-5, rtol=0)
    for row, n in enumerate(chosen):
        length = len(prompts[n])
        for kept in ("keys", "values"):
            mine, theirs = (torch.stack(getattr(c, kept)[: base.trunk_layers])[:, row, :, :length] for c in caches)
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


def test_the_trunk_runs_once_a_prompt(
    runtime: Runtime, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []  # first layer, rows
    forward = Decoder.forward

    def watched(
        self: Decoder, hidden: torch.Tensor, layout: Layout, first: int, *rest: Any, **more: Any
    ) -> torch.Tensor:
        seen.append((first, layout.rows))
        return forward(self, hidden, layout, first, *rest, **more)

    monkeypatch.setattr(Decoder, "forward", watched)
    readings = runtime.read(prompts)
    assert sum(rows for first, rows in seen if first == 0) == len(prompts)
    seen.clear()
    runtime.generate(_requests(prompts), readings=readings)
    # The expert that changes the trunk reads its own prompt; all others go on above it.
    assert sum(rows for first, rows in seen if first == 0) == 1
    assert sum(rows for first, rows in seen if first == runtime.base.trunk_layers) == len(prompts) - 1


def test_a_reading_of_another_prompt_is_not_used(runtime: Runtime, prompts: list[list[int]]) -> None:
    readings = runtime.read(prompts)
    requests = _requests(prompts)
    assert runtime.generate(requests, readings=[None, *readings[:0:-1]]) == runtime.generate(requests)


def test_no_more_is_kept_than_a_batch_may_hold(runtime: Runtime) -> None:
    long = [[5 + n] * 1500 for n in range(8)]
    kept = [reading.top is not None for reading in runtime.read(long)]
    assert sum(kept) == MAX_BATCH_TOKENS // 1500 and len(kept) == 8
