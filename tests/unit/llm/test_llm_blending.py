"""The router's soft mode: the nearest experts, weighted, run as one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from clm.errors import NotFound
from clm.llm import blending
from clm.llm.base import Base, load_base
from clm.llm.blends import blend_name, parts_of
from clm.llm.decoder import Expert
from clm.llm.experts import new_expert
from clm.llm.prompts import chat_ids
from clm.llm.router import Router, fit_router, in_tenths, load_router, save_router
from clm.llm.runtime import GenerationRequest, Runtime
from clm.records import BASE
from tiny import tiny_base

WIDTH = 6
CENTRES = {task: 8.0 * np.eye(WIDTH)[number] for number, task in enumerate("abc")}
ELSEWHERE = -8.0 * np.ones(WIDTH)


@pytest.fixture(scope="module")
def router() -> Router:
    random = np.random.default_rng(0)

    def around(centre: np.ndarray) -> np.ndarray:
        return (random.standard_normal((60, WIDTH)) + centre).astype(np.float32)

    return fit_router({task: around(centre) for task, centre in CENTRES.items()}, around(ELSEWHERE), seed=0)


def at(*places: float) -> np.ndarray:
    """On the way from a (0) to b (1)."""
    return np.array([(1 - place) * CENTRES["a"] + place * CENTRES["b"] for place in places], np.float32)


def test_mixing_one_expert_is_routing(router: Router) -> None:
    others = np.array([CENTRES["c"], ELSEWHERE], np.float32)
    features = np.concatenate([at(0, 0.45, 0.55, 1), others, at(float("nan"))])
    routed = router.route(features)
    assert routed == ["a", "a", "b", "b", "c", BASE, BASE]
    assert router.mix(features) == router.mix(features, 1, 5.0) == [[(task, 1.0)] for task in routed]


def test_a_prompt_between_two_tasks_gets_both_and_a_clear_one_gets_its_own(router: Router) -> None:
    (between,), (nearer,) = (router.mix(at(place), 2, sharpness) for place, sharpness in ((0.5, 0.3), (0.2, 1.0)))
    assert sorted(between) == [("a", 0.5), ("b", 0.5)]
    assert nearer[0][0] == "a" and 0.5 < nearer[0][1] < 1 and nearer[1][0] == "b"
    assert router.mix(at(0), experts=2, sharpness=10.0) == [[("a", 1.0)]]  # what is nothing in tenths is left out
    assert router.mix(np.array([ELSEWHERE], np.float32), experts=2, sharpness=4.0) == [[(BASE, 1.0)]]
    soft, sharp = (dict(router.mix(at(0.2), 2, sharpness)[0])["a"] for sharpness in (0.3, 20.0))
    assert soft < nearer[0][1] < sharp
    assert len(router.mix(at(0.5), experts=3, sharpness=1e-6)[0]) == 3


def test_tenths_sum_to_one_and_keep_the_order() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        shares = np.sort(random.dirichlet(np.ones(random.integers(1, 9))))[::-1].tolist()
        tenths = in_tenths(shares)
        assert sum(tenths) == pytest.approx(1) and all(abs(t - s) < 0.1 for t, s in zip(tenths, shares, strict=True))
        assert tenths == sorted(tenths, reverse=True)


def test_a_router_keeps_how_it_mixes_and_one_that_does_not_stays_what_it_was(router: Router, tmp_path: Path) -> None:
    plain, _ = save_router(router, tmp_path)
    assert save_router(replace(router, sharpness=3.0), tmp_path)[0] == plain  # of no meaning without a blend
    mixed, path = save_router(replace(router, experts=2, sharpness=0.5), tmp_path)
    loaded = load_router(path, mixed)
    assert mixed != plain and (loaded.experts, loaded.sharpness) == (2, 0.5)
    assert loaded.mix(at(0.5)) == router.mix(at(0.5), 2, 0.5)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


@pytest.fixture
def runtime(base: Base) -> Runtime:
    runtime = Runtime(base)
    for seed, name in enumerate(("one", "two", "three")):
        expert = new_expert(base, 2, rank=4, alpha=8, seed=seed)
        random = torch.Generator().manual_seed(seed)
        changed = {k: (a.cpu(), torch.randn(b.shape, generator=random) * 0.2) for k, (a, b) in expert.weights.items()}
        runtime.experts[name] = Expert(changed, 4, 8).to(base.model.device, base.model.dtype)
    return runtime


def test_names_say_what_is_in_a_blend() -> None:
    assert blend_name([("one", 1.0)]) == "one" and parts_of("one") == []
    name = blend_name([("two", 0.3), ("one", 0.7)])
    assert name == blend_name([("one", 0.7), ("two", 0.3)]) and parts_of(name) == [("one", 0.7), ("two", 0.3)]


def test_a_blend_answers_as_the_weighted_sum_of_its_experts(base: Base, runtime: Runtime) -> None:
    ids, labels = chat_ids(base.tokenizer, [{"role": "user", "content": "hello"}]), [5, 6, 7]
    pair = [*ids, *labels], [*[-100] * len(ids), *labels]
    name = blend_name([("one", 0.7), ("two", 0.3)])
    # The sum written out: W x + 0.7 B1 A1 x + 0.3 B2 A2 x, in one dense matrix per layer.
    dense = {
        (layer, kind): (torch.eye(a.shape[1], device=a.device), 2 * (0.7 * b @ a + 0.3 * other[1] @ other[0]))
        for (layer, kind), (a, b) in runtime.experts["one"].weights.items()
        for other in (runtime.experts["two"].weights[layer, kind],)
    }
    for place, (eye, change) in dense.items():
        assert eye.shape[0] == change.shape[1], place
    runtime.experts["dense"] = Expert(dense, 1, 1.0)
    assert runtime.log_likelihood([pair], name)[0] == pytest.approx(
        runtime.log_likelihood([pair], "dense")[0], abs=1e-4
    )
    asked = [GenerationRequest(ids, expert, 8) for expert in (name, "dense", "one", name)]
    made = [completion.text for completion in runtime.generate(asked)]
    assert made[0] == made[1] == made[3] != made[2]


def test_blends_come_and_go(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blending, "MOST_KEPT", 2)
    made: list[int] = []
    stack = blending.stack
    monkeypatch.setattr(blending, "stack", lambda parts: made.append(1) or stack(parts))
    names = [
        blend_name([(one, 0.5), (other, 0.5)]) for one, other in (("one", "two"), ("one", "three"), ("two", "three"))
    ]
    for name in (names[0], names[1], names[0], names[2], names[0]):
        runtime.generate([GenerationRequest([5], name, 1)])
    assert len(made) == 3  # the one that is asked for stays
    runtime.generate([GenerationRequest([5], names[1], 1)])
    assert len(made) == 4
    runtime.unload_expert("three")
    with pytest.raises(NotFound, match="three"):
        runtime.generate([GenerationRequest([5], names[1], 1)])
    runtime.generate([GenerationRequest([5], names[0], 1)])
    assert len(made) == 4
