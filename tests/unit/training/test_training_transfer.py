"""Where a new task's expert starts: held-back rows decide, on two planted cases."""

from dataclasses import replace
from pathlib import Path

import pytest

from clm.core.artifacts import Artifacts
from clm.errors import TrainingFailed
from clm.jobs.job import Compute, Stored
from clm.jobs.training import TrainingJob
from clm.llm.base import Base, load_base
from clm.llm.discriminant import Features
from clm.llm.experts import save_expert
from clm.llm.router import Seen, save_features
from clm.policies import TrainingPolicy, TransferPolicy
from clm.training import transfer
from clm.training.examples import Example
from clm.training.loop import train
from clm.training.routing import task_features
from clm.training.transfer import Start, choose_start, distances, start_of_job
from tiny import tiny_base

POLICY = TrainingPolicy(rank=4, alpha=8, epochs=6, batch_size=4, learning_rate=5e-3, seed=3)
TRANSFER = TransferPolicy(trial_share=0.2, held_back=0.25)
COLOURS = ("red", "green", "blue", "grey")


def rows(ask: str, answers: tuple[str, ...], count: int = 32) -> list[Example]:
    return [
        Example(f"rec_{n}", "completion", {"prompt": ask.format(n, COLOURS[n % 4]), "completion": answers[n % 4]})
        for n in range(count)
    ]


NEW = rows("dye {} {}", COLOURS)
SAME_SKILL = rows("paint {} {}", COLOURS)
OTHER_SKILL = rows("paint {} {}", ("@@@@@@", "%%%%%%", "######", "!!!!!!"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def expert_of(base: Base, examples: list[Example], folder: Path, epochs: int = 12, sure: float = 1.0) -> Path:
    """`sure`: how many times as far it goes from the base as its training went: what it says is hard to unlearn."""
    made = train(base, examples, POLICY.model_copy(update={"epochs": epochs}))
    for _, second in made.expert.weights.values():
        second.mul_(sure)
    return save_expert(made.expert, base.hash, folder)[1]


def features_of(base: Base, **tasks: list[Example]) -> dict[str, Features]:
    return {task: task_features(base, examples) for task, examples in tasks.items()}


def test_an_expert_of_the_same_skill_is_gone_on_from(base: Base, tmp_path: Path) -> None:
    far = rows("WHERE IS THE TOWN OF {}? ANSWER, PLEASE! {}", COLOURS)
    features = features_of(base, colours=SAME_SKILL, towns=far)
    assert (likeness := distances(task_features(base, NEW), features))["colours"] < likeness["towns"]
    experts = {"colours": expert_of(base, SAME_SKILL, tmp_path), "towns": tmp_path / "never opened"}

    start = choose_start(base, NEW, POLICY, TRANSFER, experts, features)
    assert (start.task, start.path) == ("colours", experts["colours"])
    told = start.record()
    assert told["started_from"] == told["nearest"] == "colours"
    assert told["loss_warm"] < told["loss_fresh"]
    assert told["forward_transfer"] == pytest.approx(told["loss_fresh"] - told["loss_warm"], abs=1e-5)
    assert told["held_back_rows"] == 8 and told["trial_rows"] <= 24 and told["trial_steps"] == 10
    assert choose_start(base, NEW, POLICY, TRANSFER, experts, features).record() == told  # the same inputs, the same


def test_an_expert_that_would_hurt_is_not(base: Base, tmp_path: Path) -> None:
    experts = {"signs": expert_of(base, OTHER_SKILL, tmp_path, sure=4)}
    start = choose_start(base, NEW, POLICY, TRANSFER, experts, features_of(base, signs=OTHER_SKILL))
    assert (start.task, start.path) == (None, None)
    told = start.record()
    assert told["started_from"] == "fresh" and told["nearest"] == "signs"
    assert told["loss_warm"] > told["loss_fresh"] and told["forward_transfer"] < 0
    assert "Fresh" in start.reason and "signs" in start.reason


@pytest.mark.parametrize(
    ("examples", "policy", "known", "said"),
    [
        (NEW[:19], TRANSFER, True, "19 rows are too few"),
        (NEW, TRANSFER, False, "No other task"),
        (NEW, TransferPolicy(enabled=False), True, "switched off"),
    ],
)
def test_without_a_comparison_it_starts_fresh_and_says_why(
    base: Base, tmp_path: Path, examples: list[Example], policy: TransferPolicy, known: bool, said: str
) -> None:
    experts = {"colours": tmp_path} if known else {}
    start = choose_start(base, examples, POLICY, policy, experts, features_of(base, colours=SAME_SKILL))
    assert start.task is None and said in start.reason
    assert start.record() == {"started_from": "fresh", "reason": start.reason}


def test_a_warm_trial_that_breaks_is_no_reason_to_fail(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = transfer.train

    def breaking(*given: object, init_expert: Path | None = None, **more: object) -> object:
        if init_expert is not None:
            raise TrainingFailed("The loss was nan at step 1 of 5.")
        return healthy(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(transfer, "train", breaking)
    features = features_of(base, colours=SAME_SKILL)
    start = choose_start(base, NEW, POLICY, TRANSFER, {"colours": tmp_path}, features)
    assert start.task is None and "Going on from colours failed: The loss was nan" in start.reason


def test_nothing_that_is_held_back_is_trained_on(base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    scored: set[str] = set()
    healthy, tokenise = transfer.train, transfer.tokenise

    def watched(base: Base, examples: list[Example], *given: object, **more: object) -> object:
        seen.update(example.record_id for example in examples)
        return healthy(base, examples, *given, **more)  # type: ignore[arg-type]

    def noted(tokenizer: object, examples: list[Example], longest: int) -> object:
        scored.update(example.record_id for example in examples)
        return tokenise(tokenizer, examples, longest)  # type: ignore[arg-type]

    monkeypatch.setattr(transfer, "train", watched)
    monkeypatch.setattr(transfer, "tokenise", noted)
    whole = TRANSFER.model_copy(update={"trial_share": 1.0})
    experts = {"colours": expert_of(base, SAME_SKILL, tmp_path, epochs=2)}
    choose_start(base, NEW, POLICY, whole, experts, features_of(base, colours=SAME_SKILL))
    assert len(scored) == 8 and seen == {example.record_id for example in NEW} - scored


def test_a_job_decides_once_and_only_for_a_task_without_an_expert(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = task_features(base, NEW)
    seen = Seen(features_of(base, colours=SAME_SKILL)["colours"], None, base.reading)
    features = save_features(seen, tmp_path / "features")[1]
    job = TrainingJob(
        base=base.hash, artifacts=Artifacts(tmp_path), compute=Compute(1), task="dye", mixture=tmp_path, policy=POLICY,
        transfer=TRANSFER, others={"colours": Stored("its hash", expert_of(base, SAME_SKILL, tmp_path))},
        other_features={"colours": features},
    )  # fmt: skip
    first = start_of_job(job, tmp_path, base, NEW, own)
    assert first is not None and first.task == "colours"

    def never(*_: object) -> Start:
        raise AssertionError("it was decided already")

    monkeypatch.setattr(transfer, "choose_start", never)
    assert start_of_job(job, tmp_path, base, NEW, own) == first
    refresh = replace(job, init_expert=Stored("an expert of its own", tmp_path))
    assert start_of_job(refresh, tmp_path, base, NEW, own) is None
    assert start_of_job(replace(job, transfer=None), tmp_path, base, NEW, own) is None
