"""The loop learns, leaves the base alone, repeats itself exactly and says so when it can't go on."""

import math
from pathlib import Path

import pytest
import torch

from clm.errors import InvalidInput, TrainingFailed
from clm.llm.base import Base, load_base
from clm.llm.batches import pack
from clm.llm.decoder import Layout
from clm.llm.experts import load_expert, save_expert
from clm.llm.runtime import Runtime
from clm.policies import TrainingPolicy
from clm.training import loop, trunk
from clm.training.checkpoints import load_checkpoint
from clm.training.examples import Example, tokenise
from clm.training.length import learning_rate
from clm.training.loop import Progress, train
from clm.training.order import batches_of_epoch
from clm.training.trunk import Trunk
from tiny import tiny_base

POLICY = TrainingPolicy(rank=4, alpha=8, epochs=3, batch_size=4, learning_rate=0.01, checkpoint_every=2, seed=7)
EXAMPLES = [
    Example(
        f"rec_{n}", "completion", {"prompt": f"Say it {'again ' * (n % 4)}{n}", "completion": "yes" if n % 2 else "no"}
    )
    for n in range(14)
]
LONG_ANSWER = Example("rec_x", "completion", {"prompt": "p", "completion": "long " * 20})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def _hash(base: Base, folder: Path, **settings: object) -> str:
    return save_expert(train(base, EXAMPLES, POLICY, **settings).expert, base.hash, folder)[0]  # type: ignore[arg-type]


def test_it_learns_what_it_is_shown_and_touches_nothing_of_the_base(base: Base, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in base.model.weights.items()}
    seen: list[Progress] = []
    result = train(base, EXAMPLES, POLICY.model_copy(update={"epochs": 12}), on_progress=seen.append)
    assert all(torch.equal(weight, before[name]) for name, weight in base.model.weights.items())
    assert all(weight.grad is None and not weight.requires_grad for weight in base.model.weights.values())
    assert result.expert.layers == [2, 3]  # above the trunk only
    assert seen[0].loss > 3 and result.final_loss < 1 and result.final_loss == seen[-1].loss
    assert [p.step for p in seen] == list(range(1, 49)) and {p.steps for p in seen} == {48} and result.steps == 48
    assert seen[-1].eta_seconds == 0 and (seen[0].eta_seconds or 0) > 0
    assert result.tokens == 12 * sum(len(t.ids) for t in tokenise(base.tokenizer, EXAMPLES, 512))
    expert_hash, path = save_expert(result.expert, base.hash, tmp_path)
    runtime = Runtime(base)
    runtime.load_expert(expert_hash, path)
    tokens = tokenise(base.tokenizer, EXAMPLES, 512)
    pairs = [(t.ids, t.labels) for t in tokens]
    assert runtime.log_likelihood(pairs, expert_hash).mean() > runtime.log_likelihood(pairs, None).mean() + 2


def test_the_same_inputs_give_the_same_expert_and_another_seed_another(base: Base, tmp_path: Path) -> None:
    first = _hash(base, tmp_path)
    assert _hash(base, tmp_path) == first
    assert _hash(base, tmp_path, seed=8) != first


class _Killed(Exception):
    pass


@pytest.mark.parametrize("step", [1, 5, 11])
def test_a_training_killed_at_any_step_goes_on_to_the_same_expert(base: Base, tmp_path: Path, step: int) -> None:
    def kill(progress: Progress) -> None:
        if progress.step == step:
            raise _Killed

    with pytest.raises(_Killed):
        train(base, EXAMPLES, POLICY, checkpoints=tmp_path / "c", on_progress=kill)
    seen: list[int] = []
    resumed = train(base, EXAMPLES, POLICY, checkpoints=tmp_path / "c", on_progress=lambda p: seen.append(p.step))
    whole = train(base, EXAMPLES, POLICY)
    assert seen[0] == (step - 1) // 2 * 2 + 1  # it did go on, from the last checkpoint
    assert save_expert(resumed.expert, base.hash, tmp_path) == save_expert(whole.expert, base.hash, tmp_path)
    assert (resumed.tokens, resumed.final_loss) == (whole.tokens, whole.final_loss)


def test_a_checkpoint_of_another_training_or_a_torn_one_is_not_gone_on_from(base: Base, tmp_path: Path) -> None:
    train(base, EXAMPLES, POLICY, checkpoints=tmp_path)
    seen: list[int] = []
    train(base, EXAMPLES[:-1], POLICY, checkpoints=tmp_path, on_progress=lambda p: seen.append(p.step))
    assert seen[0] == 1
    (tmp_path / "checkpoint.safetensors").write_bytes(b"torn")
    assert load_checkpoint(tmp_path, "any") is None


def test_going_on_from_an_expert_starts_where_it_stood(base: Base, tmp_path: Path) -> None:
    first = train(base, EXAMPLES, POLICY.model_copy(update={"epochs": 12}))
    _, path = save_expert(first.expert, base.hash, tmp_path)
    seen: list[Progress] = []
    again = train(base, EXAMPLES, POLICY.model_copy(update={"rank": 9}), init_expert=path, on_progress=seen.append)
    assert seen[0].loss < 1.5
    assert again.expert.rank == 4  # the old expert's, whatever the policy says now
    loaded = load_expert(path, base).weights
    assert loaded.keys() == first.expert.weights.keys()
    for place, pair in first.expert.weights.items():
        assert all(torch.equal(a, b) for a, b in zip(loaded[place], pair, strict=True))


def test_cached_and_recomputed_trunks_agree(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tokenise(base.tokenizer, EXAMPLES, 512)
    cached = Trunk(base, 2, data)
    monkeypatch.setattr(trunk, "MAX_CACHE_BYTES", 0)
    recomputed = Trunk(base, 2, data)
    assert cached.prefix > 10
    for rows in ([0, 1, 5], [3], [13, 2]):
        (packed, hidden), (again, other) = cached.batch(rows), recomputed.batch(rows)
        assert packed.layout == again.layout
        prefix = torch.ones(cached.prefix, dtype=torch.bool, device=base.model.device)
        inside = torch.cat((prefix, packed.inside().flatten()))
        torch.testing.assert_close(hidden[inside], other[inside], atol=1e-4, rtol=1e-4)


def test_the_gradient_is_that_of_the_plain_computation(base: Base) -> None:
    """Prefix, cache, padding and label-only logits against whole sequences one by one with all logits."""
    data = tokenise(base.tokenizer, EXAMPLES[:5], 512)
    weights = loop.FlatWeights(loop.new_expert(base, 2, 4, 8, seed=1))
    with torch.no_grad():
        moved = torch.randn(weights.flat.shape, generator=torch.Generator().manual_seed(2)) * 0.1
        weights.flat.add_(moved.to(base.model.device))
    packed, hidden = Trunk(base, 2, data).batch(range(5))
    states, labels, _ = packed.predicting(base.model.forward(hidden, packed.layout, 2, 4, weights.expert()))
    fast = torch.nn.functional.cross_entropy(base.model.logits(states), labels)
    logits: list[torch.Tensor] = []
    targets: list[int] = []
    for example in data:
        plain = pack([example.ids], device=base.model.device)
        hidden = base.model.forward(base.model.embed(plain.ids), Layout(0, 1, len(example.ids)), 0, 4, weights.expert())
        logits.append(base.model.logits(hidden[:-1]))
        targets += example.labels[1:]
    slow = torch.nn.functional.cross_entropy(torch.cat(logits).cpu(), torch.tensor(targets), ignore_index=-100)
    assert float(fast.detach()) == pytest.approx(float(slow.detach()), abs=1e-5)
    gradients = [torch.autograd.grad(loss, weights.flat)[0] for loss in (fast, slow)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-3)


def test_adam_is_that_of_torch() -> None:
    mine, theirs = torch.ones(6), torch.nn.Parameter(torch.ones(6))
    adam, reference = loop.Adam(mine), torch.optim.Adam([theirs], lr=0.01)
    for number in range(1, 6):
        gradient = torch.arange(6.0) * number - 3
        adam.step(gradient.clone(), 0.01, number)
        theirs.grad = gradient
        reference.step()
    torch.testing.assert_close(mine, theirs.detach())


def test_a_loss_that_is_not_finite_stops_with_the_step(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    from clm.llm.decoder import Decoder

    calls = [0]
    healthy = Decoder.logits

    def broken(self: Decoder, hidden: torch.Tensor) -> torch.Tensor:
        calls[0] += 1
        return healthy(self, hidden) * (math.nan if calls[0] == 3 else 1)

    monkeypatch.setattr(Decoder, "logits", broken)
    with pytest.raises(TrainingFailed, match=r"loss was nan at step 3\."):
        train(base, EXAMPLES, POLICY)


def test_an_expert_with_a_weight_that_is_not_finite_is_not_kept(base: Base, tmp_path: Path) -> None:
    expert = train(base, EXAMPLES[:2], POLICY).expert
    expert.weights[3, "q_proj"][1][0, 0] = math.inf
    with pytest.raises(TrainingFailed, match="layer 3"):
        save_expert(expert, base.hash, tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("examples", "policy", "says"),
    [
        ([], {}, "no example"),
        (EXAMPLES[:1], {}, "one example"),
        ([*EXAMPLES, LONG_ANSWER], {"max_tokens": 64}, "rec_x"),
        ([*EXAMPLES, Example("rec_y", "text", {"text": "a"})], {}, "rec_y"),
        (EXAMPLES, {"trunk_layers": 4}, "leaves nothing to train"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_refused_in_words(
    base: Base, examples: list[Example], policy: dict[str, object], says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        train(base, examples, POLICY.model_copy(update=policy))


def test_long_prompts_are_cut_on_the_left(base: Base) -> None:
    long = Example("rec_l", "completion", {"prompt": "x" * 300, "completion": "end"})
    whole, cut = (tokenise(base.tokenizer, [long, long], limit)[0] for limit in (2000, 50))
    assert cut.ids == whole.ids[-50:] and cut.labels == whole.labels[-50:]


def test_epochs_see_every_example_once_in_another_order() -> None:
    lengths = [n * 37 % 50 for n in range(103)]
    first, second = (batches_of_epoch(lengths, 8, seed=1, epoch=epoch) for epoch in (0, 1))
    for batches in (first, second):
        assert sorted(n for batch in batches for n in batch) == list(range(103)) and len(batches) == 13
    assert first != second and first == batches_of_epoch(lengths, 8, seed=1, epoch=0)
    spread = [max(lengths[n] for n in b) - min(lengths[n] for n in b) for b in first]
    assert sum(spread) / len(spread) < 15  # of 50: batches hold like lengths


def test_the_learning_rate_warms_up_and_comes_down() -> None:
    rates = [learning_rate(POLICY, step, 50) for step in range(50)]
    assert rates[4] == max(rates) == POLICY.learning_rate and rates[0] == pytest.approx(POLICY.learning_rate / 5)
    assert rates[4:] == sorted(rates[4:], reverse=True) and 0 < rates[-1] < 0.01 * POLICY.learning_rate


def test_checkpoints_hold_no_pickle(base: Base, tmp_path: Path) -> None:
    train(base, EXAMPLES, POLICY, checkpoints=tmp_path)
    from clm.llm.model_files import check_safetensors

    assert set(check_safetensors(tmp_path / "checkpoint.safetensors")) == {"weights", "mean", "square"}
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]
