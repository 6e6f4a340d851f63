"""Which prompts change hands when a task is added, of prompts that no router was fitted on."""

from collections.abc import Mapping

import numpy as np
import pytest

from clm.llm.base import Base, load_base
from clm.llm.router import Seen
from clm.policies import TrainingPolicy
from clm.training import crossing
from clm.training.routing import fit
from tiny import tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("crossing") / "base"), threads=1)


def seen(base: Base, where: float, n: int = 60, seed: int = 0, turns: float = 0.0) -> Seen:
    """Rows around a place of their own; `turns` names its direction, for the router goes by directions."""
    width = base.reading.width(base.hidden_size)
    noise = np.random.default_rng(seed).standard_normal((n, width))
    direction = np.cos(turns * np.arange(width)) * np.linspace(-1, 1, width)
    return Seen((noise + where * direction).astype(np.float32), None, base.reading)


def handed_over(base: Base, before: Mapping[str, Seen], after: Mapping[str, Seen], taught: str) -> dict[str, list[int]]:
    policy = TrainingPolicy()
    return crossing.handed_over(base, before, after, taught, policy, fit(base, after, policy.seed))


def test_prompts_change_hands_only_where_the_new_task_comes_near(base: Base) -> None:
    old = {"a": seen(base, 8.0, seed=1), "b": seen(base, -8.0, seed=2)}
    far = handed_over(base, old, {**old, "c": seen(base, 8.0, seed=3, turns=2.0)}, "c")
    assert far == {"a": [0, 60], "b": [0, 60]}
    near = handed_over(base, old, {**old, "c": seen(base, 8.3, seed=3)}, "c")
    assert near["a"][0] >= 15 and near["b"] == [0, 60]


def test_the_taught_expert_is_another_one_also_for_those_whom_it_answered_before(base: Base) -> None:
    old = {"a": seen(base, 8.0, seed=1), "b": seen(base, 8.0, seed=2)}  # the same prompts: each gets half of them
    counted = handed_over(base, old, {**old, "b": seen(base, 8.0, seed=4)}, "b")
    assert set(counted) == {"a"} and counted["a"][0] >= 10


def test_without_other_tasks_or_rows_nothing_is_counted(base: Base) -> None:
    assert handed_over(base, {}, {"a": seen(base, 1.0)}, "a") == {}
    assert handed_over(base, {"a": seen(base, 1.0, n=1)}, {"a": seen(base, 1.0, n=1)}, "b") == {}
