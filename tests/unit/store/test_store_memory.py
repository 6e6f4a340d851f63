"""Every memory policy passes one suite; then what is special about each."""

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clm.errors import InvalidInput, NotFound
from clm.policies import MemoryPolicy
from clm.store.memory import POLICIES, Rows, choose, draw, split, urgency

ANSWERS = ("often",) * 6 + ("sometimes",) * 3 + ("rarely",)


def rows(count: int = 200, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    return Rows(
        record_ids=[f"rec_{n}" for n in range(count)],
        answers=[ANSWERS[n % 10] for n in range(count)],
        sizes=[int(size) for size in random.integers(40, 400, count)],
        losses=random.gamma(1.0, 1.0, count),
        features=random.standard_normal((count, 12)).astype(np.float32) * np.arange(1, 13, dtype=np.float32),
    )


def part(of: Rows, indices: list[int]) -> Rows:
    assert of.losses is not None and of.features is not None
    return Rows(
        [of.record_ids[i] for i in indices], [of.answers[i] for i in indices], [of.sizes[i] for i in indices],
        of.losses[indices], of.features[indices],
    )  # fmt: skip


def ids(policy: str, of: Rows, most: int = 40, most_bytes: int = 10**6, seed: int = 17) -> list[str]:
    return [of.record_ids[i] for i in choose(policy, of, most=most, most_bytes=most_bytes, seed=seed)]


every_policy = pytest.mark.parametrize("policy", POLICIES)


def test_the_policies_are_those_an_operator_can_name() -> None:
    for policy in POLICIES:
        assert MemoryPolicy.model_validate({"policy": policy}).policy == policy
    with pytest.raises(NotFound, match=r"herding.*balanced"):
        choose("herding", rows(), most=1, most_bytes=1, seed=1)


@every_policy
@given(most=st.integers(0, 250), most_bytes=st.integers(0, 50_000), count=st.integers(0, 60))
def test_the_budget_is_never_exceeded(policy: str, most: int, most_bytes: int, count: int) -> None:
    given_rows = rows(count)
    kept = choose(policy, given_rows, most=most, most_bytes=most_bytes, seed=1)
    assert len(kept) == len(set(kept)) <= min(most, count)
    assert set(kept) <= set(range(count))
    assert sum(given_rows.sizes[i] for i in kept) <= most_bytes


@every_policy
def test_a_budget_is_used_as_far_as_it_goes(policy: str) -> None:
    assert len(ids(policy, rows(), most=50)) == 50
    of = rows()
    kept = choose(policy, of, most=500, most_bytes=5_000, seed=1)
    assert 5_000 - sum(of.sizes[i] for i in kept) < max(of.sizes)
    assert choose(policy, of, most=0, most_bytes=5_000, seed=1) == []


@every_policy
def test_the_same_rows_and_seed_give_the_same_choice_in_whatever_order_they_come(policy: str) -> None:
    turned = part(rows(), list(range(199, -1, -1)))
    assert ids(policy, rows()) == ids(policy, rows()) == ids(policy, turned)


@every_policy
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_refused(policy: str, bad: float) -> None:
    losses = np.linspace(0, 1, 10)
    losses[3] = bad
    with pytest.raises(InvalidInput, match="1 rows the loss is not a finite number, first of record rec_3"):
        choose(policy, replace(rows(10), losses=losses), most=5, most_bytes=10**6, seed=1)
    features = np.ones((10, 4), np.float32)
    features[7, 2] = bad
    with pytest.raises(InvalidInput, match="features is not a finite number, first of record rec_7"):
        choose(policy, replace(rows(10), features=features), most=5, most_bytes=10**6, seed=1)


@every_policy
def test_what_is_measured_is_what_is_needed(policy: str) -> None:
    needs = POLICIES[policy].needs
    bare = replace(rows(), losses=None, features=None)
    if needs is None:
        assert ids(policy, bare) == ids(policy, rows())
    else:
        with pytest.raises(InvalidInput, match=f"goes by the rows' {needs}"):
            ids(policy, bare)


@pytest.mark.parametrize("policy", ["random", "balanced", "feedback"])
def test_a_memory_of_a_memory_is_as_fair_as_one_of_all_rows(policy: str) -> None:
    """What was dropped does not have to be looked at again."""
    everything = rows()
    first = choose(policy, part(everything, list(range(100))), most=40, most_bytes=10**6, seed=17)
    then = part(everything, first + list(range(100, 200)))
    assert set(ids(policy, then)) == set(ids(policy, everything))


@pytest.mark.parametrize("policy", ["random", "balanced", "feedback"])
def test_another_seed_draws_other_rows(policy: str) -> None:
    assert set(ids(policy, rows(), seed=1)) != set(ids(policy, rows(), seed=2))


@pytest.mark.parametrize("policy", ["balanced", "feedback"])
def test_balanced_gives_every_answer_an_equal_share_as_far_as_it_has_rows(policy: str) -> None:
    of = rows()
    for most, shares in ((30, (10, 10, 10)), (61, (21, 20, 20)), (100, (40, 40, 20))):
        kept = choose(policy, of, most=most, most_bytes=10**6, seed=3)
        assert tuple(sorted(Counter(of.answers[i] for i in kept).values(), reverse=True)) == shares
    assert Counter(of.answers[i] for i in draw(policy, of, 30, "lot")) == dict.fromkeys(set(ANSWERS), 10)


def test_the_mean_of_herded_rows_is_nearer_to_the_mean_of_all_than_that_of_random_rows() -> None:
    of = rows()
    assert of.features is not None

    def distance(policy: str, most: int, seed: int) -> float:
        assert of.features is not None
        scaled = of.features / of.features.std(axis=0)
        kept = choose(policy, of, most=most, most_bytes=10**6, seed=seed)
        return float(np.linalg.norm(scaled[kept].mean(axis=0) - scaled.mean(axis=0)))

    for most in (5, 20, 60):
        herded = distance("diverse", most, 1)
        assert herded < 0.5 * min(distance("random", most, seed) for seed in range(20))


def test_herding_copes_with_features_that_never_change() -> None:
    flat = replace(rows(10), features=np.ones((10, 3), np.float32))
    assert len(ids("diverse", flat, most=4)) == 4


def test_surprising_keeps_high_losses_but_not_the_mislabelled_rows() -> None:
    of = rows()
    assert of.losses is not None
    mislabelled = set(np.argsort(of.losses)[-10:].tolist())  # the highest five of a hundred
    kept = choose("surprising", of, most=30, most_bytes=10**6, seed=1)
    assert kept == np.argsort(-of.losses)[10:40].tolist()
    assert not mislabelled & set(choose("surprising", of, most=200, most_bytes=10**6, seed=1))
    assert len(ids("surprising", replace(of, losses=np.ones(200)), most=200)) == 200  # nothing stands out


def test_urgency_follows_what_slipped() -> None:
    assert [urgency(slipped, 0.05) for slipped in (-0.1, 0.0, 0.025, 0.05, 0.4)] == [0, 0, 0.5, 1, 1]


@given(
    st.one_of(st.integers(0, 100), st.just(math.inf)),
    st.dictionaries(st.sampled_from("abcd"), st.tuples(st.sampled_from([0.0, 0.5, 1, 2]), st.integers(0, 30))),
)
def test_rows_are_shared_out_whole_and_no_task_gives_more_than_it_has(
    count: float, tasks: dict[str, tuple[float, int]]
) -> None:
    weights, available = {t: w for t, (w, _) in tasks.items()}, {t: n for t, (_, n) in tasks.items()}
    shared = split(count, weights, available)
    assert all(0 <= shared[task] <= available[task] for task in tasks)
    assert sum(shared.values()) == min(count, sum(n for task, n in available.items() if weights[task] > 0))


def test_rows_are_shared_out_by_weight() -> None:
    assert split(30, {"a": 1, "b": 2}, {"a": 50, "b": 50}) == {"a": 10, "b": 20}
    assert split(30, {"a": 1, "b": 2}, {"a": 50, "b": 5}) == {"a": 25, "b": 5}
    shares = [split(n, {"a": 1, "b": 1}, {"a": 50, "b": 50}) for n in range(20)]
    assert all(abs(share["a"] - share["b"]) <= 1 for share in shares)
    assert all(later["a"] >= earlier["a"] for earlier, later in pairwise(shares))
