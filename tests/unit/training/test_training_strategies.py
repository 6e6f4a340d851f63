"""The suite that every strategy passes: plain fine-tuning forgets on these tasks, and each method forgets less."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from clm.errors import InvalidInput, NotFound, TrainingFailed
from clm.llm.base import Base, load_base
from clm.llm.decoder import Expert
from clm.policies import TrainingPolicy
from clm.strategies import OPTIONS, adapter_of
from clm.training.learning import Learned, learn
from clm.training.loop import Progress
from clm.training.strategies import STRATEGIES
from clm.training.strategies.ewc import normalised
from clm.training.strategies.hooks import Lesson
from clm.training.weights import FlatWeights
from lessons import loss, policy, rows, short, texts
from tiny import tiny_base

# How much of what plain fine-tuning loses on the first task (nats per token) a method may lose at most.
BOUNDS: dict[str, tuple[tuple[Any, ...], float]] = {
    "experts": (("experts",), 0.0),
    "replay": (({"name": "replay", "share": 1.0},), 0.2),
    "ewc": (("ewc",), 0.4),
    "distill": (("distill",), 0.9),
    "distill on replayed rows": (({"name": "replay", "share": 0.5}, "distill"), 0.3),
    "olora": (("olora",), 0.95),
    "freeze": (("freeze",), 0.95),
    "merge by interpolation": (({"name": "merge", "method": "interpolate"},), 0.6),
    "merge by ties": (({"name": "merge", "method": "ties"},), 0.8),
    "merge by dare": (({"name": "merge", "method": "dare", "density": 0.9},), 0.6),
    "merge by magnitude": (({"name": "merge", "method": "magnitude-max"},), 0.95),
    "domain": (({"name": "domain", "align": "coral", "weight": 10.0}, {"name": "replay", "share": 0.5}), 0.3),
    "joint": (("joint",), 0.2),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def learn_two(base: Base, chosen: TrainingPolicy) -> tuple[Learned, Learned]:
    """Learns colours, then towns; a strategy with an adapter per task keeps the first as it is."""
    colours, towns = rows("colour", 0, 32), rows("town", 0, 32)
    first = learn(Lesson(base, "colour", colours), chosen)
    own = adapter_of(chosen.strategies, "town") == "town"
    old, state = (None, {}) if own else (first.expert, first.state)
    return first, learn(Lesson(base, "town", towns, {"colour": colours}, old, state), chosen)


def lost(base: Base, chosen: TrainingPolicy) -> tuple[float, float]:
    """What the first task's held-out rows lost, and how well the second was learned (its loss)."""
    first, second = learn_two(base, chosen)
    own = adapter_of(chosen.strategies, "town") == "town"
    after = first if own else second
    return loss(base, after.expert, "colour") - loss(base, first.expert, "colour"), loss(base, second.expert, "town")


@pytest.fixture(scope="module")
def forgotten(base: Base) -> float:
    """What plain fine-tuning forgets: the measure for all others."""
    amount, learned = lost(base, policy("finetune"))
    assert loss(base, None, "town") - learned > 2  # it did learn the second task …
    assert amount > 1  # … and lost the first by more than a nat per token
    return amount


@pytest.mark.parametrize("name", BOUNDS)
def test_it_forgets_less_than_fine_tuning(name: str, base: Base, forgotten: float) -> None:
    strategies, bound = BOUNDS[name]
    amount, learned = lost(base, policy(*strategies))
    print(f"{name}: lost {amount:.2f} of {forgotten:.2f} = {amount / forgotten:.2f}, second task {learned:.2f}")
    assert amount <= bound * forgotten + 1e-6
    assert loss(base, None, "town") - learned > 1  # not by learning nothing


@pytest.fixture(scope="module")
def second_lessons(base: Base) -> Callable[[str], tuple[Lesson, TrainingPolicy]]:
    """The second update under a method, whose first was short."""
    made: dict[str, tuple[Lesson, TrainingPolicy]] = {}

    def of(name: str) -> tuple[Lesson, TrainingPolicy]:
        if name not in made:
            chosen = short(*BOUNDS[name][0])
            first = learn(Lesson(base, "colour", rows("colour", 0, 24)), chosen)
            own = adapter_of(chosen.strategies, "town") == "town"
            old, state = (None, {}) if own else (first.expert, first.state)
            made[name] = (
                Lesson(base, "town", rows("town", 0, 24), {"colour": rows("colour", 0, 24)}, old, state),
                chosen,
            )
        return made[name]

    return of


@pytest.mark.parametrize("name", BOUNDS)
def test_the_same_lesson_gives_the_same_adapter_also_after_a_kill(
    name: str, second_lessons: Callable[[str], tuple[Lesson, TrainingPolicy]], tmp_path: Path
) -> None:
    lesson, chosen = second_lessons(name)
    whole = learn(lesson, chosen)
    with pytest.raises(KeyboardInterrupt):
        learn(lesson, chosen, tmp_path, _stop_at(6))
    assert (tmp_path / "checkpoint.safetensors").exists()
    resumed = learn(lesson, chosen, tmp_path)
    assert torch.equal(FlatWeights(whole.expert).flat, FlatWeights(resumed.expert).flat)
    assert whole.state.keys() == resumed.state.keys()
    assert all(torch.equal(tensor, resumed.state[key]) for key, tensor in whole.state.items())


def _stop_at(step: int) -> Callable[[Progress], None]:
    def watch(progress: Progress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return watch


@pytest.mark.parametrize("name", BOUNDS)
def test_the_base_and_the_older_adapter_are_not_touched(
    name: str, second_lessons: Callable[[str], tuple[Lesson, TrainingPolicy]]
) -> None:
    lesson, chosen = second_lessons(name)
    before = {key: weight.clone() for key, weight in lesson.base.model.weights.items()}
    old = FlatWeights(lesson.old).flat.detach().clone() if lesson.old else None
    learn(lesson, chosen)
    assert all(torch.equal(weight, before[key]) for key, weight in lesson.base.model.weights.items())
    if lesson.old is not None and old is not None:
        assert torch.equal(FlatWeights(lesson.old).flat, old)


def test_every_task_counts_alike_however_sure_the_model_is_of_it() -> None:
    fisher = torch.rand(1000)
    for certain in (1.0, 1e-9):
        assert normalised(certain * fisher).mean() == pytest.approx(1)
        torch.testing.assert_close(normalised(certain * fisher), normalised(fisher))
    assert not normalised(torch.zeros(3)).any()


def test_frozen_layers_stay_and_are_named(base: Base) -> None:
    first = learn(Lesson(base, "colour", rows("colour", 0, 16)), short({"name": "freeze", "layers": [3]}))
    assert first.notes["freeze"] == {"frozen_layers": [3]}
    lesson = Lesson(base, "town", rows("town", 0, 16), old=first.expert, state=first.state)
    chosen = learn(lesson, short("freeze"))
    (frozen,) = chosen.notes["freeze"]["frozen_layers"]
    assert frozen == 2  # the only one that has learned anything so far matters most
    for (layer, name), (a, b) in chosen.expert.weights.items():
        old_a, old_b = first.expert.weights[layer, name]
        assert (torch.equal(a, old_a) and torch.equal(b, old_b)) == (layer == frozen)


def test_olora_keeps_the_older_directions_and_adds_orthogonal_ones(base: Base) -> None:
    chosen = short({"name": "olora", "weight": 10.0})
    first = learn(Lesson(base, "colour", rows("colour", 0, 16)), chosen)
    second = learn(Lesson(base, "town", rows("town", 0, 16), old=first.expert), chosen)
    assert second.expert.rank == 2 * first.expert.rank
    for place, (a, _) in second.expert.weights.items():
        old, new = a[: first.expert.rank], a[first.expert.rank :]
        assert torch.equal(old, first.expert.weights[place][0])
        assert (old @ new.T).square().sum() < 0.5 * (old.norm() * new.norm()).square() / min(old.shape)


def test_what_was_mixed_is_told(base: Base) -> None:
    memory = {"colour": rows("colour", 0, 16), "animal": rows("town", 100, 16)}
    learned = learn(Lesson(base, "town", rows("town", 0, 16), memory), short({"name": "replay", "share": 0.5}))
    assert learned.notes["rows"] == {"new": 16, "legacy": {"animal": 4, "colour": 4}}


def test_joint_gives_small_tasks_more_than_their_share(base: Base) -> None:
    memory = {"colour": rows("colour", 0, 4)}
    cold = learn(Lesson(base, "town", rows("town", 0, 16), memory), short({"name": "joint", "temperature": 1}))
    warm = learn(Lesson(base, "town", rows("town", 0, 16), memory), short({"name": "joint", "temperature": 10}))
    assert cold.notes["rows"]["legacy"] == {"colour": 4}
    assert warm.notes["rows"]["legacy"]["colour"] > 8


def test_texts_are_read_before_the_answers(base: Base) -> None:
    lesson = Lesson(base, "town", [*texts(0, 12), *rows("town", 0, 16)])
    steps: list[int] = []
    learned = learn(lesson, short({"name": "domain", "epochs": 3}), on_progress=lambda p: steps.append(p.steps or 0))
    assert steps == [6] * 6 + [4] * 4  # 12 texts three times, then 16 rows twice
    assert learned.steps == 10
    only_texts = learn(Lesson(base, "town", texts(0, 12)), short("domain"))
    assert only_texts.steps == 2


@pytest.mark.parametrize("align", ["coral", "mmd"])
def test_alignment_keeps_the_domains_states_nearer(base: Base, align: str) -> None:
    first = learn(Lesson(base, "colour", rows("colour", 0, 16)), short("domain"))
    lesson = Lesson(base, "town", rows("town", 0, 16), old=first.expert, state=first.state)
    near, far = (
        learn(lesson, short({"name": "domain", "align": align, "weight": weight}, epochs=4)) for weight in (100, 1e-6)
    )
    assert _moved(base, first, near) < _moved(base, first, far)


def _moved(base: Base, old: Learned, new: Learned) -> float:
    from clm.training.examples import tokenise
    from clm.training.forward import Forward
    from clm.training.strategies.domain import coral

    forward = Forward(base, 2, tokenise(base.tokenizer, rows("town", 0, 16), 512))
    with torch.no_grad():
        one, other = forward(range(16), new.expert).means(), old.state["domain.features"]
        return float(coral(one, other))


@pytest.mark.parametrize("name", OPTIONS)
def test_bad_options_are_refused(name: str) -> None:
    bad: dict[str, Any] = {
        "experts": {"mix": 0}, "finetune": {"share": 1}, "replay": {"share": -1}, "ewc": {"weight": math.nan},
        "distill": {"temperature": 0}, "olora": {"weight": math.inf}, "freeze": {"share": 1},
        "merge": {"method": "average"}, "domain": {"align": "wasserstein"}, "joint": {"temperature": 0.5},
    }  # fmt: skip
    with pytest.raises(ValueError, match=next(iter(bad[name]))):
        short({"name": name, **bad[name]})


def test_unknown_and_clashing_strategies_are_refused() -> None:
    with pytest.raises(NotFound, match=r"no strategy named 'lwf'\. Known: distill, domain, ewc"):
        short("lwf")
    with pytest.raises(InvalidInput, match="'experts' and 'joint' don't go together"):
        short("experts", "joint")
    with pytest.raises(InvalidInput, match="named twice"):
        short("ewc", "ewc")
    assert set(STRATEGIES) == set(OPTIONS)


def test_what_cannot_be_learned_is_refused_and_nothing_comes_of_it(base: Base) -> None:
    with pytest.raises(InvalidInput, match="The mixture holds no example"):
        learn(Lesson(base, "town", []), short("finetune"))
    with pytest.raises(InvalidInput, match="All layers are frozen"):
        learn(Lesson(base, "town", rows("town", 0, 8)), short({"name": "freeze", "layers": [2, 3]}))
    with pytest.raises(InvalidInput, match="Layer 9 can't be frozen: the adapter has layers 2 to 3"):
        learn(Lesson(base, "town", rows("town", 0, 8)), short({"name": "freeze", "layers": [9]}))


@pytest.mark.parametrize("name", ["ewc", "distill", "olora", "domain"])
def test_a_penalty_that_is_not_finite_stops_the_training(
    name: str, second_lessons: Callable[[str], tuple[Lesson, TrainingPolicy]]
) -> None:
    lesson, chosen = second_lessons(name if name in BOUNDS else "ewc")
    assert lesson.old is not None
    broken = Expert(
        {place: (a.clone(), b + math.nan) for place, (a, b) in lesson.old.weights.items()}, lesson.old.rank, 8
    )
    state = {key: value * math.nan for key, value in lesson.state.items()}
    with pytest.raises(TrainingFailed, match=r"was nan at step 1\."):
        learn(replace(lesson, old=broken, state=state), chosen)
