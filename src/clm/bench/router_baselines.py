"""What experts and router are compared with: the router alone as classifier, a kernel discriminant, oracle routing.

All three know the same rows as the router, read at the same point. A test row counts as right where the nearest class
is that of its answer; *told its task*, only the task's own classes are asked, as with a router that never errs.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clm.llm.discriminant import Array, Features, fit_metric
from clm.llm.router import Answers

REGULARISATION = 0.03  # of the kernel discriminant, chosen on development rows
SHARPNESS = 2.0  # of its kernel: exp(sharpness * (cosine - 1)) of whitened rows


def baselines(
    train: Mapping[str, Features], answers: Mapping[str, Answers], asked: Mapping[str, Features],
    right: Mapping[str, Answers],
) -> dict[str, Any]:  # fmt: skip
    """`train` with `answers`, and `asked` whose answers are `right`: all by task."""
    names = list(train)
    # Classes are pairs of task and answer, for two tasks may give the same answer.
    pairs = [(n, answer) for n, name in enumerate(names) for answer in answers[name].tolist()]
    classes = sorted(set(pairs))
    known = np.array([classes.index(pair) for pair in pairs])
    of_task = np.array([task for task, _ in classes])
    rows = np.concatenate([train[name] for name in names]).astype(np.float64)
    metric = fit_metric([rows[known == n] for n in range(len(classes))])
    middle = metric.whitened(rows).mean(0)
    questions = np.concatenate([asked[name] for name in names])
    tasks = np.concatenate([np.full(len(asked[name]), n) for n, name in enumerate(names)])
    truth = [(n, answer) for n, name in enumerate(names) for answer in right[name].tolist()]

    def figures(scores: Array) -> dict[str, float]:
        """`scores`: `[n, classes]`, the largest wins."""
        own = np.where(of_task == tasks[:, None], scores, -np.inf)

        def right_of(chosen: NDArray[np.int64]) -> float:
            return float(np.mean([classes[n] == pair for n, pair in zip(chosen, truth, strict=True)]))

        misrouted = float(np.mean(of_task[scores.argmax(1)] != tasks))
        return {"misrouted_test": misrouted, "right_test": right_of(scores.argmax(1)),
                "right_told_task": right_of(own.argmax(1))}  # fmt: skip

    def directions(features: Array | Features) -> Array:
        offsets = metric.whitened(features) - middle
        return offsets / np.linalg.norm(offsets, axis=1, keepdims=True)

    own, other = directions(rows), directions(questions)
    centres = np.stack([own[known == n].mean(0) for n in range(len(classes))])
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    return {"router alone": figures(other @ centres.T), "kernel discriminant": figures(_kernel(own, other, known))}


def _kernel(own: Array, other: Array, known: NDArray[np.int64]) -> Array:
    """`[n, classes]`: regularised kernel discriminant analysis by regression on class indicators.

    Cai, He & Han (2007), "Efficient kernel discriminant analysis via spectral regression".
    """
    kernel = np.exp(SHARPNESS * (own @ own.T - 1))
    kernel[np.diag_indices_from(kernel)] += REGULARISATION
    weights: Array = np.asarray(np.linalg.solve(kernel, np.eye(int(known.max()) + 1)[known]), np.float64)
    return np.exp(SHARPNESS * (other @ own.T - 1)) @ weights
