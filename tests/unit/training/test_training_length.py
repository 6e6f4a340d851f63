"""How long a training goes on: decided from what was seen, told why, and the same after a kill."""

from dataclasses import replace
from pathlib import Path

import pytest

from clm.errors import InvalidInput
from clm.llm.base import Base, load_base
from clm.llm.experts import save_expert
from clm.policies import TrainingPolicy
from clm.training.examples import Example
from clm.training.length import Auto, Questions, expected_steps
from clm.training.loop import Progress, TrainingResult, train
from clm.training.stopping import KNOWN, NEARLY_KNOWN, Look, decide, held_back
from tiny import tiny_base

COLOURS = ("red", "green", "blue", "grey")
POLICY = TrainingPolicy(rank=4, alpha=8, learning_rate=0.01, batch_size=4, least_steps=40, checkpoint_every=7)


def rows(count: int, answers: int = 4) -> list[Example]:
    return [
        Example(f"rec_{n}", "completion", {"prompt": f"paint {n} {COLOURS[n % 4]}", "completion": f"{n % answers}"})
        for n in range(count)
    ]


MANY = rows(120)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def looks(*held: float, every: int = 20) -> list[Look]:
    return [Look(every * (n + 1), 1.0, loss) for n, loss in enumerate(held)]


def test_it_goes_on_while_the_loss_falls_and_ends_when_it_does_not() -> None:
    assert decide(looks(3.0, 2.0, 1.0, 0.9), POLICY, 1000, late=False) is None
    assert decide(looks(3.0, 2.0, 2.1, 2.0), POLICY, 1000, late=False) is None  # not for long enough yet
    ended = decide(looks(3.0, 2.0, 2.1, 2.0, 1.99), POLICY, 1000, late=False)  # a fall of 0.5 % is none
    assert ended is not None and ended.reason == "held-back loss stopped falling" and not ended.still_falling
    own = [replace(look, held_back=None) for look in looks(3.0, 3.0, 3.0, 3.0)]
    assert (flat := decide(own, POLICY, 1000, late=False)) is not None
    assert flat.reason == "the rows' own loss stopped falling"


def test_what_is_known_is_not_learned_on_but_never_before_the_least_steps() -> None:
    assert (ended := decide(looks(1.0, KNOWN), POLICY, 1000, late=False)) is not None and "known" in ended.reason
    taught = [*looks(3.0, 2.0), Look(60, KNOWN, 1.9)]
    assert (ended := decide(taught, POLICY, 1000, late=False)) is not None and ended.reason == "the rows are known"
    longer = POLICY.model_copy(update={"least_steps": 82})
    assert decide(looks(1.0, KNOWN), longer, 1000, late=False) is None


def test_a_bound_that_ends_it_is_told_with_whether_the_loss_still_fell() -> None:
    ended = decide(looks(3.0, 2.0), POLICY, 40, late=False)
    assert ended is not None and ended.still_falling
    assert ended.reason == "most_steps = 5000 were reached, held-back loss still falling"
    late = decide(looks(2.0, 2.0), POLICY, 1000, late=True)
    assert late is not None and late.reason == "most_minutes = 240 had passed" and not late.still_falling


def test_only_an_answer_that_other_rows_teach_too_is_held_back() -> None:
    chosen = held_back(MANY, 0.1, seed=3)
    assert len(chosen) == 12 and chosen == held_back(MANY, 0.1, seed=3) != held_back(MANY, 0.1, seed=4)
    facts = [*rows(100, answers=100), *MANY]
    assert all(facts[row].content["completion"] in "0123" for row in held_back(facts, 0.1, seed=1))
    assert held_back(rows(100, answers=100), 0.5, seed=1) == []  # each taught once
    assert held_back(rows(40), 0.1, seed=1) == []  # four rows tell nothing
    texts = [Example(f"rec_{n}", "text", {"text": "the same"}) for n in range(120)]
    assert held_back(texts, 0.1, seed=1) == []


def test_few_rows_are_trained_until_they_are_known(base: Base) -> None:
    made = train(base, rows(16), POLICY)
    told = made.length
    assert (
        told["rule"] == "known" and told["held_back_rows"] == 0 and "the rows are nearly known after" in told["stopped"]
    )
    assert made.final_loss < KNOWN and told["looks"][-1][1] <= NEARLY_KNOWN < told["looks"][0][1]
    assert POLICY.least_steps <= made.steps < 200


def test_many_rows_are_trained_until_held_back_rows_no_longer_gain(base: Base, whole: TrainingResult) -> None:
    told: list[Progress] = []
    made = train(base, MANY, POLICY, on_progress=told.append)
    assert made.length == whole.length and made.length["rule"] == "held back" and made.length["held_back_rows"] == 12
    assert "after" in made.length["stopped"] and all(look[2] is not None for look in made.length["looks"])
    last = made.length["looks"][-1][0]
    assert last < made.steps == last + max(20, round(0.3 * last))  # the fall of the rate
    assert told[last - 2].steps is None and told[-1].steps == told[-1].step == made.steps
    assert "on rows held back" in told[last - 1].sentence and "falls to zero" in told[last - 1].sentence


@pytest.mark.parametrize("steps", [40, 200])
def test_rows_are_held_back_until_the_rate_falls_and_then_learned_first(steps: int) -> None:
    held = held_back(MANY, 0.1, seed=3)
    length = Auto(POLICY.model_copy(update={"least_steps": steps}), [9] * 120, held, seed=3)
    rates: list[float] = []
    learned: list[set[int]] = [set(), set()]  # before the rate falls, and while it does
    while length.steps is None or len(rates) < length.steps:
        learned[length.steps is not None] |= set(length.batch(len(rates)))
        rates.append(length.rate(len(rates)))
        length.after(len(rates), 1.0, Questions(lambda rows: 0.001 if rows == held else 9.0, lambda: False))
    peak = POLICY.learning_rate
    assert not learned[0] & set(held) and set(held) <= learned[1]
    assert rates.count(peak) >= steps // 2 - 20 and max(rates) == peak
    assert rates[0] < peak and 0 < rates[-1] < peak / 5 and sorted(rates[-5:], reverse=True) == rates[-5:]


def test_rows_that_are_each_taught_once_are_compared_over_whole_epochs() -> None:
    """Within an epoch of 200 steps the loss stays where it is, for each row is new; it falls from epoch to epoch."""
    length = Auto(POLICY.model_copy(update={"most_steps": 9000}), [9] * 800, [], seed=3)
    step = 0
    while length.steps is None:
        length.batch(step)
        step += 1
        length.after(step, 1.89 / (1 + (step - 1) // 200), Questions(lambda _: 9.0, lambda: False))
    assert [look[0] for look in length.record()["looks"]][:3] == [200, 400, 600] and step == 200 * 19
    assert "nearly known" in length.record()["stopped"]
    late = Auto(POLICY, [9] * 800, [], seed=3)
    for step in range(1, 101):
        late.after(step, 2.0, Questions(lambda _: 9.0, lambda: True))
    assert late.steps is not None and "most_minutes" in late.record()["stopped"]


def test_replayed_rows_are_never_held_back(base: Base) -> None:
    made = train(base, [*rows(40), *MANY], POLICY, new=40)
    assert made.length["held_back_rows"] == 0 and made.length["rule"] == "known"


class _Killed(Exception):
    pass


@pytest.mark.parametrize("step", [9, 31, 62, -2])
def test_killed_at_any_step_it_ends_at_the_same_expert_for_the_same_reason(
    base: Base, tmp_path: Path, whole: TrainingResult, step: int
) -> None:
    def kill(progress: Progress) -> None:
        if progress.step == step % whole.steps:
            raise _Killed

    with pytest.raises(_Killed):
        train(base, MANY, POLICY, checkpoints=tmp_path / "c", on_progress=kill)
    seen: list[int] = []
    resumed = train(base, MANY, POLICY, checkpoints=tmp_path / "c", on_progress=lambda p: seen.append(p.step))
    assert seen[0] > 1 or step < POLICY.checkpoint_every
    assert save_expert(resumed.expert, base.hash, tmp_path) == save_expert(whole.expert, base.hash, tmp_path)
    assert (resumed.length, resumed.steps, resumed.tokens) == (whole.length, whole.steps, whole.tokens)


@pytest.fixture(scope="module")
def whole(base: Base) -> TrainingResult:
    return train(base, MANY, POLICY)


def test_it_never_takes_more_steps_than_the_policy_allows(base: Base) -> None:
    made = train(base, MANY, POLICY.model_copy(update={"most_steps": 42}))
    assert made.steps == 42 and "most_steps = 42 were reached" in made.length["stopped"]
    hurried = train(base, MANY, POLICY.model_copy(update={"most_minutes": 1e-9}))
    assert "most_minutes" in hurried.length["stopped"] and hurried.steps < 60


def test_epochs_that_stand_alone_are_meant_and_else_the_length_is_decided() -> None:
    assert TrainingPolicy().length == TrainingPolicy.model_validate({"rank": 4}).length == "auto"
    old = {"epochs": 6, "rank": 4}  # as stored before there was a length
    assert TrainingPolicy.model_validate(old).length == TrainingPolicy(epochs=6).length == "epochs"
    assert TrainingPolicy.model_validate({**old, "length": "auto"}).length == "auto"
    stored = TrainingPolicy().model_dump(mode="json")
    assert TrainingPolicy.model_validate(stored) == TrainingPolicy()


def test_a_training_of_epochs_tells_that_and_whether_its_loss_still_fell(base: Base) -> None:
    short = train(base, MANY, POLICY.model_copy(update={"length": "epochs", "epochs": 2}))
    assert short.steps == 60 and short.length["rule"] == "epochs" and short.length["still_falling"]
    assert short.length["stopped"] == "the policy asks for 2 epochs"
    assert [look[0] for look in short.length["looks"]] == [30, 60]


def test_steps_are_expected_for_what_is_planned_by_them() -> None:
    assert expected_steps(POLICY.model_copy(update={"length": "epochs", "epochs": 2}), 120) == 60
    assert expected_steps(POLICY, 8) == 40
    assert expected_steps(POLICY.model_copy(update={"most_steps": 50}), 10_000) == 50


def test_no_rows_are_refused_as_ever(base: Base) -> None:
    with pytest.raises(InvalidInput, match="at least two"):
        train(base, MANY[:1], POLICY)
