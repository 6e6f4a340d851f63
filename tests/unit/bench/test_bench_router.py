"""What the router's benchmark compares with, on made-up features."""

import numpy as np

from clm.bench.router_baselines import baselines
from clm.llm.discriminant import Features

WIDTH = 24


def _around(places: list[int], count: int, seed: int) -> Features:
    random = np.random.default_rng(seed)
    rows = [4 * np.eye(WIDTH)[place] + random.standard_normal(WIDTH) for place in places for _ in range(count)]
    return np.array(rows, np.float32)


def test_baselines_know_answers_and_being_told_the_task_helps() -> None:
    """Two tasks with two answers each; two answers lie in the same place, so that only the task tells them apart."""
    places, numbers = {"a": [0, 1], "b": [2, 1]}, {"a": [0, 1], "b": [2, 3]}
    answers = {task: np.repeat(numbers[task], 20) for task in places}
    train = {task: _around(where, 20, 1) for task, where in places.items()}
    asked = {task: _around(where, 20, 2) for task, where in places.items()}
    for figures in baselines(train, answers, asked, answers).values():
        assert 0.15 < figures["misrouted_test"] < 0.35  # half of the prompts that lie in the same place
        assert 0.65 < figures["right_test"] < 0.85
        assert figures["right_told_task"] > 0.95
