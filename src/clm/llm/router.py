"""Which expert answers a prompt: a linear discriminant over frozen-base states, with *none of these* as an answer.

Needs no torch. Features are the mean and the last-token state at the trunk's top, `[n, 2 * hidden]`, see
`Runtime.features`. Tasks share one covariance with Ledoit-Wolf shrinkage, so the nearest centre by Mahalanobis distance
is the linear discriminant's answer (equal priors), and the distance itself says how unlike the task a prompt is
(Lee et al. 2018, arXiv:1807.03888). Prompts beyond their nearest task's threshold go to the untouched base.
"""

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from clm.core.files import adopt_folder, read_json, write_bytes, write_json
from clm.core.hashing import sha256_file, sha256_folder
from clm.errors import InvalidInput, TamperedArtifact, UnsafeModel
from clm.llm.model_files import check_safetensors
from clm.records import BASE

Array = NDArray[np.float64]
Features = NDArray[np.float32]
FOLDS = 5  # thresholds are set on distances of rows that the covariance was not fitted on
OWN_QUANTILE = 0.995  # share of a task's own held-back prompts within its threshold
GENERAL_QUANTILE = 0.02  # and of general prompts that may be, where the two overlap not at all


@dataclass(frozen=True)
class Router:
    """Distances are computed in `directions` (the covariance's leading eigenvectors, whitened) plus a rest term, so
    that storage is `features x rank`, never `features x features`."""

    tasks: tuple[str, ...]
    scale: Array  # [features]: within-task standard deviation
    centres: Array  # [tasks, features], scaled
    directions: Array  # [features, rank], orthonormal
    precisions: Array  # [rank]: 1 / variance along each direction
    rest_precision: float  # the same for all that is orthogonal to them
    thresholds: Array  # [tasks]: largest squared distance per feature at which a task answers

    def route(self, features: Features) -> list[str]:
        """Per row the task whose expert answers, or BASE. Rows that are not finite go to BASE."""
        distances = self.distances(features)
        nearest = distances.argmin(1)
        known = distances[np.arange(len(features)), nearest] <= self.thresholds[nearest]  # False for NaN
        return [self.tasks[n] if ok else BASE for n, ok in zip(nearest, known, strict=True)]

    def distances(self, features: Features) -> Array:
        """Squared Mahalanobis distances per feature, `[n, tasks]`; about 1 for a task's own prompts."""
        scaled = np.asarray(features, np.float64) / self.scale
        columns: list[Array] = []
        for centre in self.centres:
            offset = scaled - centre
            along = (offset @ self.directions) ** 2
            rest = np.maximum((offset**2).sum(1) - along.sum(1), 0.0)
            columns.append((along @ self.precisions + rest * self.rest_precision) / len(self.scale))
        return np.stack(columns, 1)


def fit_router(features: dict[str, Features], general: Features, seed: int) -> Router:
    """Fits on `[n, features]` per task; `general` are features of prompts that no task is about.

    Deterministic in its inputs. Raises InvalidInput for no task, an empty one, differing widths or values not finite.
    """
    _check(features, general)
    tasks = tuple(sorted(features))
    rows = [np.asarray(features[task], np.float64) for task in tasks]
    folds = [np.random.default_rng(seed).permutation(len(part)) % FOLDS for part in rows]
    own: list[list[Array]] = [[] for _ in tasks]
    for fold in range(FOLDS):
        kept = [part[labels != fold] for part, labels in zip(rows, folds, strict=True)]
        if any(len(part) == 0 for part in kept):
            continue
        fitted = _fit(tasks, kept)
        for n, (part, labels) in enumerate(zip(rows, folds, strict=True)):
            if (labels == fold).any():
                own[n].append(fitted.distances(part[labels == fold].astype(np.float32))[:, n])
    router = _fit(tasks, rows)
    thresholds = _thresholds([np.concatenate(d) if d else np.zeros(0) for d in own], router.distances(general))
    return replace(router, thresholds=thresholds)


def _check(features: dict[str, Features], general: Features) -> None:
    if not features:
        raise InvalidInput("A router needs the features of at least one task.")
    widths = {part.shape[1] for part in (*features.values(), general) if part.ndim == 2}
    for task, part in features.items():
        if part.ndim != 2 or not len(part):
            raise InvalidInput(f"Task {task!r} has no router features.")
        if not np.isfinite(part).all():
            raise InvalidInput(f"The router features of task {task!r} are not finite.")
    if len(widths) != 1:
        raise InvalidInput("Router features of tasks have differing widths: they come from different bases.")


def _fit(tasks: tuple[str, ...], rows: list[Array]) -> Router:
    centred = np.concatenate([part - part.mean(0) for part in rows])
    scale = np.sqrt((centred**2).mean(0))
    # A single row per task has no spread at all; then, and in dead features, distances are plain.
    scale = np.where(scale > 1e-8, scale, 1.0)
    centred /= scale
    n, width = centred.shape
    shrinkage, mean_variance = ledoit_wolf(centred)
    if n < width:  # the covariance has at most n directions: find them in the small product
        values, vectors = np.linalg.eigh(centred @ centred.T / n)
        keep = values > 1e-10 * max(values[-1], 1e-12)
        directions = centred.T @ vectors[:, keep] / np.sqrt(values[keep] * n)
    else:
        values, directions = np.linalg.eigh(centred.T @ centred / n)
        keep = np.ones(len(values), bool)
    floor = max(shrinkage * mean_variance, 1e-6)
    return Router(
        tasks=tasks,
        scale=scale,
        centres=np.stack([part.mean(0) / scale for part in rows]),
        directions=directions,
        precisions=1.0 / ((1 - shrinkage) * values[keep] + floor),
        rest_precision=1.0 / floor,
        thresholds=np.full(len(tasks), np.inf),
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


def _thresholds(own: list[Array], general: Array) -> Array:
    """Between a task's own prompts and general ones, at their geometric middle; where they overlap, own ones count."""
    thresholds: list[float] = []
    for n, distances in enumerate(own):
        far = float(np.quantile(general[:, n], GENERAL_QUANTILE)) if len(general) else np.inf
        near = float(np.quantile(distances, OWN_QUANTILE)) if len(distances) else far / 4
        thresholds.append(float(np.sqrt(near * far)) if near < far < np.inf else near)
    return np.array(thresholds)


def save_router(router: Router, routers: Path) -> tuple[str, Path]:
    """Writes `routers/<hash>` (safetensors + JSON) and returns both."""
    routers.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=routers, prefix=".router-"))
    try:
        arrays = {
            name: getattr(router, name) for name in ("scale", "centres", "directions", "precisions", "thresholds")
        }
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary / "router.safetensors"
        )
        write_json(temporary / "router.json", {"tasks": router.tasks, "rest_precision": router.rest_precision})
        temporary.chmod(0o755)
        router_hash = sha256_folder(temporary)
        return router_hash, adopt_folder(temporary, routers / router_hash)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_router(path: Path, router_hash: str | None = None) -> Router:
    """Raises TamperedArtifact where the files don't match `router_hash`, UnsafeModel where they are not a router."""
    if router_hash is not None and (not path.is_dir() or sha256_folder(path) != router_hash):
        raise TamperedArtifact(f"Router {router_hash[:12]} does not match its files and is not loaded.")
    try:
        check_safetensors(path / "router.safetensors")
        described = read_json(path / "router.json")
        arrays = load_file(path / "router.safetensors")
        return Router(tuple(described["tasks"]), rest_precision=float(described["rest_precision"]), **arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnsafeModel(f"{path} does not hold a router: {error}.") from error


def save_features(features: Features, folder: Path) -> tuple[str, Path]:
    """Writes a task's features to `folder/<hash>.safetensors`, so that routers can be fitted again without old data."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        file = Path(temporary) / "features.safetensors"
        save_file({"features": np.ascontiguousarray(features, np.float32)}, file)
        features_hash = sha256_file(file)
        write_bytes(folder / f"{features_hash}.safetensors", file.read_bytes())
    return features_hash, folder / f"{features_hash}.safetensors"


def load_features(file: Path) -> Features:
    """Raises TamperedArtifact where a file named by its hash was changed, UnsafeModel where it is not one of ours."""
    if re.fullmatch(r"[0-9a-f]{64}", file.stem) and sha256_file(file) != file.stem:
        raise TamperedArtifact(f"The router features {file.stem[:12]} were changed on disk and are not used.")
    if "features" not in check_safetensors(file):
        raise UnsafeModel(f"{file.name} holds no router features.")
    return load_file(file)["features"]
