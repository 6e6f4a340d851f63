"""What is measured of the rows for the replay memory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from clm.llm.base import Base, load_base
from clm.llm.runtime import Runtime
from clm.policies import TrainingPolicy
from clm.store.memory import POLICIES
from clm.training.examples import Example, tokenise
from clm.training.loop import train
from clm.training.routing import task_features
from clm.training.rows import describe_rows
from tiny import tiny_base

EXAMPLES = [
    Example(f"rec_{n}", "completion", {"prompt": f"say {word} {n}", "completion": word})
    for n, word in enumerate(("red", "green", "blue") * 4)
]
WRONG = Example("rec_wrong", "completion", {"prompt": "say red 99", "completion": "Zyxw"})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_base(tmp_path_factory.mktemp("base")), threads=1)


def test_losses_are_those_of_the_trained_expert_and_show_what_is_mislabelled(base: Base, tmp_path: Path) -> None:
    policy = TrainingPolicy(rank=8, epochs=10, learning_rate=5e-3)
    expert = train(base, EXAMPLES, policy).expert
    rows = [*EXAMPLES, WRONG]
    written = pl.read_parquet(
        describe_rows(base, rows, expert, tmp_path / "new" / "rows.parquet", need="losses", max_tokens=512), glob=False
    )
    assert written["record_id"].to_list() == [row.record_id for row in rows]
    assert written["features"].null_count() == len(rows)
    runtime = Runtime(base)
    runtime.experts["x"] = expert
    tokens = [(row.ids, row.labels) for row in tokenise(base.tokenizer, rows, 512)]
    np.testing.assert_allclose(written["loss"], -runtime.log_likelihood(tokens, "x"))
    assert written["loss"].arg_max() == len(rows) - 1
    untrained = -runtime.log_likelihood(tokens, None)
    assert written["loss"].head(12).mean() < 0.5 * untrained[:12].mean()  # pyright: ignore[reportOperatorIssue]


def test_features_are_those_of_the_untouched_base(base: Base, tmp_path: Path) -> None:
    expert = train(base, EXAMPLES, TrainingPolicy(rank=8, epochs=1)).expert
    written = pl.read_parquet(
        describe_rows(base, EXAMPLES, expert, tmp_path / "rows.parquet", need="features", max_tokens=512), glob=False
    )
    np.testing.assert_array_equal(np.array(written["features"].to_list()), task_features(base, EXAMPLES))
    assert written["loss"].null_count() == len(EXAMPLES)


def test_long_rows_are_cut_as_in_training(base: Base, tmp_path: Path) -> None:
    expert = train(base, EXAMPLES, TrainingPolicy(rank=8, epochs=1)).expert
    long = Example("rec_long", "completion", {"prompt": "word " * 2000, "completion": "red"})
    for need in ("losses", "features"):
        file = describe_rows(base, [*EXAMPLES, long], expert, tmp_path / need, need=need, max_tokens=64)
        assert pl.read_parquet(file, glob=False).height == len(EXAMPLES) + 1


def test_a_policy_needs_nothing_else() -> None:
    assert {policy.needs for policy in POLICIES.values()} == {None, "losses", "features"}
