"""Linear discriminants: classes with a centre each and one covariance within, shrunk as Ledoit and Wolf estimate it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Metric:
    """Squared Mahalanobis distances per feature: about 1 for a class's own prompts.

    Computed in `directions` (the covariance's eigenvectors) plus a rest term, so that storage is
    `features x rank`, never `features x features`.
    """

    scale: Array  # [features]: standard deviation within classes
    centres: Array  # [classes, features], scaled
    directions: Array  # [features, rank], orthonormal
    precisions: Array  # [rank]: 1 / variance along each direction
    rest_precision: Array  # [1]: the same for all that is orthogonal to them

    @cached_property
    def _projected(self) -> tuple[Array, Array]:
        """The centres along the directions, `[classes, rank]`, and their squared length in the rest, `[classes]`."""
        along = self.centres @ self.directions
        return along, (self.centres**2).sum(1) - (along**2).sum(1)

    def around(self, rows: list[Array]) -> "Metric":
        """The same covariance around the centres of other classes, `[n, features]` each."""
        return replace(self, centres=np.stack([part.mean(0) / self.scale for part in rows]))

    def whitened(self, features: Features | Array) -> Array:
        """`[n, features]` -> the same, in which squared distances are Mahalanobis distances."""
        rows, rest = np.asarray(features, np.float64) / self.scale, float(np.sqrt(self.rest_precision[0]))
        return rows * rest + ((rows @ self.directions) * (np.sqrt(self.precisions) - rest)) @ self.directions.T

    def distances(self, features: Features, classes: Sequence[int] | None = None) -> Array:
        """`[n, features]` -> `[n, classes]`, of all classes or the given ones."""
        wanted = np.arange(len(self.centres)) if classes is None else np.asarray(classes)
        centres, (along, beside) = self.centres[wanted], (part[wanted] for part in self._projected)
        rows = np.asarray(features, np.float64) / self.scale
        projected = rows @ self.directions
        inside = projected**2 @ self.precisions[:, None] + along**2 @ self.precisions
        inside -= 2 * (projected * self.precisions) @ along.T
        rest = ((rows**2).sum(1) - (projected**2).sum(1))[:, None] + beside
        rest -= 2 * (rows @ centres.T - projected @ along.T)
        return (np.maximum(inside, 0.0) + np.maximum(rest, 0.0) * self.rest_precision) / len(self.scale)


def fit_metric(rows: list[Array], shrinkage: float | None = None) -> Metric:
    """One class per entry, `[n, features]` each; a pooled, shrunk covariance within classes."""
    centred = np.concatenate([part - part.mean(0) for part in rows])
    scale = np.sqrt((centred**2).mean(0))
    # A single row per class has no spread at all; then, and in dead features, distances are plain.
    scale = np.where(scale > 1e-8, scale, 1.0)
    centred /= scale
    n, width = centred.shape
    estimated, mean_variance = ledoit_wolf(centred)
    shrinkage = estimated if shrinkage is None else shrinkage
    if n < width:  # the covariance has at most n directions: find them in the small product
        values, vectors = np.linalg.eigh(centred @ centred.T / n)
        keep = values > 1e-10 * max(values[-1], 1e-12)
        directions = centred.T @ vectors[:, keep] / np.sqrt(values[keep] * n)
    else:
        values, directions = np.linalg.eigh(centred.T @ centred / n)
        keep = np.ones(len(values), bool)
    floor = max(shrinkage * mean_variance, 1e-6)
    return Metric(
        scale=scale,
        centres=np.stack([part.mean(0) / scale for part in rows]),
        directions=directions,
        precisions=1.0 / ((1 - shrinkage) * values[keep] + floor),
        rest_precision=np.array([1.0 / floor]),
    )


def ledoit_wolf(centred: Array) -> tuple[float, float]:
    """Shrinkage in [0, 1] towards `mean_variance * identity`, and that mean variance, for centred rows `[n, width]`.

    Ledoit & Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices".
    """
    n, width = centred.shape
    mean_variance = float((centred**2).sum() / (n * width))
    gram = centred @ centred.T if n < width else centred.T @ centred
    covariance_norm = float((gram**2).sum()) / n**2  # squared Frobenius norm of the sample covariance
    fourth = float(((centred**2).sum(1) ** 2).sum()) / n
    spread = covariance_norm - mean_variance**2 * width
    noise = (fourth - covariance_norm) / n
    return (float(np.clip(noise / spread, 0.0, 1.0)) if spread > 0 else 1.0), mean_variance
