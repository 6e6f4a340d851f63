"""The base on another device and in another type. No accelerator is needed: implicit placement is made to fail."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from clm.errors import InvalidInput
from clm.llm.base import Base, load_base
from clm.llm.prompts import chat_ids, example_ids
from clm.llm.runtime import Completion, GenerationRequest, Runtime
from clm.policies import TrainingPolicy
from clm.training.examples import Example
from clm.training.learning import Learned, learn
from clm.training.strategies.hooks import Lesson
from clm.training.weights import FlatWeights
from tiny import tiny_base

ROWS = [
    Example(f"r{n}", "completion", {"prompt": f"say {'on ' * (n % 4)}{n}", "completion": "yes" if n % 2 else "no"})
    for n in range(12)
]
STRATEGIES = (
    ("experts",), ("replay",), ("ewc",), ("distill",), ("olora",), ("freeze",), ({"name": "merge", "method": "dare"},),
    ({"name": "domain", "align": "mmd"},), ("joint",),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def base(folder: Path) -> Base:
    return load_base(folder, threads=1)


@contextmanager
def elsewhere() -> Generator[None]:
    """A tensor that is created without saying where lands on a device that can't compute with the base's weights."""
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


def policy(*strategies: object, **more: object) -> TrainingPolicy:
    settings = {"rank": 4, "alpha": 8, "epochs": 2, "batch_size": 4, "learning_rate": 5e-3, "strategies": strategies}
    return TrainingPolicy.model_validate({**settings, **more})


def learn_twice(base: Base, chosen: TrainingPolicy) -> Learned:
    first = learn(Lesson(base, "one", ROWS[:6]), chosen)
    return learn(Lesson(base, "one", ROWS[6:], {"zero": ROWS[:6]}, first.expert, first.state), chosen)


def answers(base: Base, learned: Learned) -> list[Completion]:
    runtime = Runtime(base)
    runtime.experts["it"] = learned.expert
    ids = [chat_ids(base.tokenizer, [{"role": "user", "content": f"say {'on ' * n}"}]) for n in range(3)]
    asked = [GenerationRequest(i, expert, 6, heat, 0.9) for i in ids for expert in (None, "it") for heat in (0.0, 1.0)]
    return runtime.generate(asked)


@pytest.mark.parametrize("strategies", STRATEGIES, ids=str)
def test_training_says_where_every_tensor_lies(base: Base, strategies: tuple[object, ...]) -> None:
    plain = learn_twice(base, policy(*strategies))
    with elsewhere():
        placed = learn_twice(base, policy(*strategies))
    assert torch.equal(FlatWeights(plain.expert).flat, FlatWeights(placed.expert).flat)


def test_loading_and_answering_say_where_every_tensor_lies(folder: Path, base: Base) -> None:
    learned = learn(Lesson(base, "one", ROWS), policy("experts"))
    pairs = [example_ids(base.tokenizer, row.shape, row.content) for row in ROWS]
    prompts = [ids for ids, _ in pairs]
    plain = answers(base, learned), Runtime(base).features(prompts), Runtime(base).log_likelihood(pairs, None)
    with elsewhere():
        placed = load_base(folder, threads=1)
        found = answers(placed, learned), Runtime(placed).features(prompts), Runtime(placed).log_likelihood(pairs, None)
    assert found[0] == plain[0]
    np.testing.assert_array_equal(found[1], plain[1])
    np.testing.assert_array_equal(found[2], plain[2])


def test_a_bfloat16_base_learns_nearly_the_same_with_experts_in_float32(folder: Path, base: Base) -> None:
    half = load_base(folder, threads=1, dtype="bfloat16")
    assert {weight.dtype for weight in half.model.weights.values()} == {torch.bfloat16}
    precise, coarse = (learn_twice(b, policy("distill", "ewc", epochs=6)) for b in (base, half))
    assert FlatWeights(coarse.expert).flat.dtype == torch.float32
    assert coarse.final_loss == pytest.approx(precise.final_loss, rel=0.05)
    pairs = [example_ids(base.tokenizer, row.shape, row.content) for row in ROWS]
    for expert in (None, "it"):
        losses: list[float] = []
        for b in (base, half):
            runtime = Runtime(b)
            runtime.experts["it"] = precise.expert.to(b.model.device, b.model.dtype)
            losses.append(-float(runtime.log_likelihood(pairs, expert).mean()))
        assert losses[0] == pytest.approx(losses[1], rel=0.05)
    features = [Runtime(b).features([ids for ids, _ in pairs]) for b in (base, half)]
    assert features[1].dtype == np.float32
    assert np.abs(features[1] - features[0]).max() < 0.05 * np.abs(features[0]).max()
    assert all(c.text is not None for c in answers(half, coarse))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_is_refused_in_words_and_auto_does_without(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="Use auto or cpu"):
        load_base(folder, threads=1, device="cuda")
    assert load_base(folder, threads=1, device="auto").model.device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_learns_what_the_cpu_learns(folder: Path, base: Base) -> None:
    there = load_base(folder, threads=1, device="cuda")
    for strategies in STRATEGIES:
        here, learned = (learn_twice(b, policy(*strategies)) for b in (base, there))
        assert learned.final_loss == pytest.approx(here.final_loss, rel=0.01)
    answers(there, learn(Lesson(there, "one", ROWS), policy("experts")))
