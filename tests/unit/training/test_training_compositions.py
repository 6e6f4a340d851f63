"""Strategies together, update after update: what two of them do in three, or why they don't go together."""

import re
from itertools import combinations
from typing import Any

import pytest
import torch

from clm.errors import InvalidInput
from clm.llm.base import Base, load_base
from clm.llm.decoder import Expert
from clm.llm.experts import new_expert
from clm.strategies import CONFLICTS, OPTIONS, adapter_of, by_name, replays
from clm.training.learning import Learned, learn
from clm.training.strategies import build_strategies
from clm.training.strategies.hooks import Lesson, Step
from clm.training.strategies.merge import dare
from clm.training.weights import FlatWeights
from lessons import loss, policy, rows, short, texts
from tiny import tiny_base

SAVED = {"ewc": {"ewc.fisher"}, "freeze": {"freeze.importance"}, "merge": {"merge.origin", "merge.merges"},
         "domain": {"domain.features"}}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def flat(expert: Expert | None) -> torch.Tensor:
    assert expert is not None
    return FlatWeights(expert).flat.detach()


@pytest.mark.parametrize(("one", "other"), [*combinations(sorted(OPTIONS), 2)])
def test_two_strategies_learn_three_updates_or_are_refused_with_a_reason(one: str, other: str, base: Base) -> None:
    why = next((why for a, b, why in CONFLICTS if {a, b} == {one, other}), None)
    if why is not None:
        with pytest.raises(InvalidInput, match=re.escape(why)):
            policy(one, other)
        return
    chosen = policy(one, other, epochs=1)
    colours, towns, more = rows("colour", 0, 8), rows("town", 0, 8), rows("colour", 8, 8)
    own = adapter_of(chosen.strategies, "colour") == "colour"
    first = _learn_on(base, "colour", colours, {}, None, chosen)
    second = _learn_on(base, "town", towns, {"colour": colours}, None if own else first, chosen)
    before = first if own else second
    third = _learn_on(base, "colour", more, {"colour": colours, "town": towns}, before, chosen)
    replayed: dict[str, int] = third.notes["rows"]["legacy"]
    assert (
        set(replayed)
        == {"nothing": set[str](), "task": {"colour"}, "adapter": {"colour", "town"}}[replays(chosen.strategies)]
    )
    if "domain" in (one, other):
        last = _learn_on(base, "town", texts(0, 8), {"colour": colours}, second if own else third, chosen)
        assert last.notes["rows"]["new"] == 8


def _learn_on(
    base: Base, task: str, new: list[Any], memory: dict[str, Any], before: Learned | None, chosen: Any
) -> Learned:
    old, state = (before.expert, before.state) if before else (None, {})
    learned = learn(Lesson(base, task, new, memory, old, state, drawn=True), chosen)
    names = {options.name for options in chosen.strategies}
    made = flat(learned.expert)
    assert torch.isfinite(made).all()
    assert not torch.equal(made, flat(old)) if old else True
    assert set(learned.state) == set[str]().union(*(SAVED.get(name, set()) for name in names))
    return learned


@pytest.fixture(scope="module")
def forgotten_by_reading(base: Base) -> float:
    """What an old task loses to texts where nothing but `domain` is chosen, in nats per token."""
    return _lost_by_reading(base)[0]


def _lost_by_reading(base: Base, *more: Any) -> tuple[float, Learned, Learned]:
    chosen = policy({"name": "domain", "align": "none", "epochs": 12}, *more)
    colours = rows("colour", 0, 32)
    first = learn(Lesson(base, "colour", colours), chosen)
    lesson = Lesson(base, "town", texts(0, 32), {"colour": colours}, first.expert, first.state)
    second = learn(lesson, chosen)
    return loss(base, second.expert, "colour") - loss(base, first.expert, "colour"), first, second


@pytest.mark.parametrize("name", ["ewc", "distill", "olora", "merge", "replay"])
def test_texts_alone_are_learned_with_every_method_too(name: str, base: Base, forgotten_by_reading: float) -> None:
    assert forgotten_by_reading > 1
    lost, first, second = _lost_by_reading(base, name)
    assert lost < 0.95 * forgotten_by_reading, f"{lost:.2f} of {forgotten_by_reading:.2f}"
    assert set(second.state) == set(first.state)  # what it remembers goes on


@pytest.mark.parametrize("more", [[], rows("town", 0, 8)], ids=["texts alone", "texts and answers"])
def test_a_frozen_layer_stays_while_texts_are_read(base: Base, more: list[Any]) -> None:
    chosen = policy("domain", {"name": "freeze", "layers": [3]}, epochs=1)
    first = learn(Lesson(base, "colour", rows("colour", 0, 8)), policy("domain", epochs=1))
    made = learn(Lesson(base, "town", [*texts(0, 8), *more], old=first.expert, state=first.state), chosen)
    for (layer, name), (a, b) in made.expert.weights.items():
        old_a, old_b = first.expert.weights[layer, name]
        assert (torch.equal(a, old_a) and torch.equal(b, old_b)) == (layer == 3)


def test_one_text_or_one_answer_is_learned_with_the_others(base: Base) -> None:
    for new in ([*texts(0, 1), *rows("town", 0, 4)], [*texts(0, 4), *rows("town", 0, 1)]):
        assert learn(Lesson(base, "town", new), policy("domain", epochs=1)).steps == 1
    unread = policy({"name": "domain", "epochs": 0}, epochs=1, batch_size=4)
    assert learn(Lesson(base, "town", [*texts(0, 4), *rows("town", 0, 4)]), unread).steps == 2
    with pytest.raises(InvalidInput, match="one example"):
        learn(Lesson(base, "town", texts(0, 1)), policy("domain"))


def test_every_row_drawn_for_an_update_is_trained_on_once(base: Base) -> None:
    memory = {"colour": rows("colour", 0, 12), "town": rows("town", 0, 12)}
    new = rows("town", 12, 4)
    for strategies, drawn, legacy in (
        (("experts", {"name": "replay", "share": 1}), True, {"town": 12}),
        (("experts", {"name": "replay", "share": 1}), False, {"town": 12}),
        (({"name": "replay", "share": 1},), True, {"colour": 12, "town": 12}),  # a repair drew more than the share
        (({"name": "replay", "share": 1},), False, {"colour": 2, "town": 2}),
    ):
        chosen = policy(*strategies, epochs=1, batch_size=4)
        learned = learn(Lesson(base, "town", new, memory, drawn=drawn), chosen)
        assert learned.notes["rows"] == {"new": 4, "legacy": legacy}
        assert learned.steps == 1 + sum(legacy.values()) // 4


def test_where_a_new_expert_begins_is_not_what_it_holds_on_to(base: Base) -> None:
    """A warm start is another task's expert: its answers are wrong for the new one."""
    other = learn(Lesson(base, "colour", rows("colour", 0, 8)), short("experts")).expert
    lesson = Lesson(base, "town", rows("town", 0, 8), start=other)
    plain, *held = (
        flat(learn(lesson, short(*strategies)).expert)
        for strategies in (["experts"], ["experts", "distill"], ["experts", "merge"], ["experts", "ewc"])
    )
    assert all(torch.equal(plain, each) for each in held)
    fresh = learn(Lesson(base, "town", rows("town", 0, 8)), short("experts"))
    assert not torch.equal(plain, flat(fresh.expert))


def test_a_refresh_with_distillation_stays_nearer_to_the_released_expert(base: Base) -> None:
    old = learn(Lesson(base, "colour", rows("colour", 0, 16)), policy("experts")).expert
    lesson = Lesson(base, "colour", rows("town", 0, 16), old=old)  # what is new is quite another thing
    plain, distilled = (
        learn(lesson, policy("experts", *more)).expert for more in ([], [{"name": "distill", "weight": 3.0}])
    )
    assert loss(base, distilled, "colour") < loss(base, plain, "colour")
    assert (flat(distilled) - flat(old)).norm() < (flat(plain) - flat(old)).norm()


def test_olora_adds_up_the_overlaps_as_its_reference_code_does(base: Base) -> None:
    old, new = (new_expert(base, 3, rank=2, alpha=2, seed=seed) for seed in (1, 2))
    (strategy,) = build_strategies((by_name({"name": "olora", "weight": 3.0}),), policy("olora"))
    lesson, weights = Lesson(base, "town", rows("town", 0, 2), old=old), FlatWeights(new)
    nothing: Any = None
    strategy.prepare(lesson, nothing, weights)
    penalty = strategy.penalty(Step([0], weights.flat, nothing, nothing))
    expected = sum(float((a @ new.weights[place][0].T).abs().sum()) for place, (a, _) in old.weights.items())
    assert penalty is not None
    assert float(penalty.detach()) == pytest.approx(3 * expected)


def test_dare_neither_grows_nor_drops_the_same_weights_again_and_again(base: Base) -> None:
    chosen = policy({"name": "merge", "method": "dare"}, epochs=1, batch_size=4)
    size: list[float] = []
    changed: list[torch.Tensor] = []
    before: Learned | None = None
    for number in range(8):
        new = rows(("colour", "town")[number % 2], 4 * number, 4)
        old, state = (before.expert, before.state) if before else (None, {})
        learned = learn(Lesson(base, "shared", new, old=old, state=state), chosen)
        size.append(float(flat(learned.expert).norm()))
        changed += [flat(learned.expert) != flat(old)] if old else []
        before = learned
    assert size[-1] < 2 * size[0]
    kept = torch.stack(changed).float()
    assert ((kept.mean(1) - 0.5).abs() < 0.02).all()  # half of the changes at every update …
    assert float((kept.sum(0) == 0).float().mean()) < 0.02  # … and another half each time


def test_dare_keeps_what_a_change_does_on_average() -> None:
    change = torch.randn(20_000, generator=torch.Generator().manual_seed(1))
    kept = torch.stack([dare(change, 0.5, seed) for seed in range(50)])
    torch.testing.assert_close(kept.mean(0).dot(change) / change.dot(change), torch.tensor(1.0), atol=0.02, rtol=0)
