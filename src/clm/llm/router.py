"""Which expert answers a prompt: a linear discriminant over frozen-base states, with *none of these* as an answer.

Needs no torch. Features are states of the base, pooled over the prompt at the router's reading point, `[n, width]`, see
`Runtime.features`. The discriminant's classes are the tasks and, as one more, the bundled general requests; where the
answers of a task repeat, each of them is a class of its own, for a task such as "77 intents" lies in many places
(mixture discriminant analysis, Hastie & Tibshirani 1996, with the answers as the parts). Classes share one covariance
with Ledoit-Wolf shrinkage, so the nearest centre by Mahalanobis distance is the linear discriminant's answer (equal
priors). To the untouched base go prompts nearest to the general class, and those unlike both: beyond a threshold of
distance to their task as a whole (Lee et al. 2018, arXiv:1807.03888), measured by the covariance of the tasks alone.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from clm.core.files import adopt_folder, read_json, sync_tree, write_bytes, write_json
from clm.core.hashing import canonical_json, sha256_file, sha256_folder
from clm.errors import InvalidInput, TamperedArtifact, UnsafeModel
from clm.llm.discriminant import Array, Features, Metric, fit_metric
from clm.llm.model_files import check_safetensors
from clm.llm.points import Point
from clm.llm.strangers import Judge, Strangers, distinct, fit_judge, least_leads
from clm.records import BASE

Answers = NDArray[np.int64]  # of a task's rows: equal answers have equal numbers
METRICS = ("discriminant", "nearness")
FOLDS = 5  # thresholds are set on distances of rows that the covariance was not fitted on
OWN_QUANTILE = 0.995  # of a task's own held-back distances: what is near
GENERAL_QUANTILE = 0.02  # of general prompts' distances to the task: what is far
UNKNOWN = 20.0  # rows that a task lacks: thresholds are wider by this number over that of its rows
FEWEST_OF_ANSWER = 4  # rows with the same answer that make a class of their own
MANY = 5  # rows per dimension from which on a fifth less leaves the covariance as it is; with two, too little crosses
REACH = 0.9  # the threshold between near (0) and far (1), on a log scale: wide, for users word things anew


@dataclass(frozen=True)
class Router:
    tasks: tuple[str, ...]
    discriminant: Metric  # classes: those of the tasks, in their order, then groups of general requests
    nearness: Metric  # classes: tasks
    thresholds: Array  # [tasks]: largest nearness distance at which a task's expert answers
    classes: tuple[int, ...]  # of the discriminant, per task
    strangers: Strangers | None = None  # None: the nearest centre alone decides, as in routers from before
    experts: int = 1  # mixed per prompt
    sharpness: float = 10.0  # of the blend
    point: Point | None = None  # where its features are read; None: `Base.old_reading`
    handicaps: Array | None = None  # [tasks]: how many times as far each seems; None: as far as it is

    def handicapped(self, tasks: Collection[str], factor: float) -> "Router":
        """The same router, to which these tasks seem `factor` times as far as they are."""
        return replace(self, handicaps=np.array([factor if task in tasks else 1.0 for task in self.tasks]))

    def route(self, features: Features) -> list[str]:
        """Per row the task whose expert answers, or BASE. Rows that are not finite go to BASE."""
        return [mix[0][0] for mix in self.mix(features, experts=1)]

    def mix(
        self, features: Features, experts: int | None = None, sharpness: float | None = None
    ) -> list[list[tuple[str, float]]]:
        """Per row the nearest tasks with their weights, the nearest first, or BASE alone.

        Weights are a softmax over -sharpness * distance of the `experts` nearest tasks, in steps of 0.1, so that rows
        with nearly the same blend have the same one. Both are the router's own where they are not given.
        """
        experts, sharpness = experts or self.experts, sharpness or self.sharpness
        distances, leads, least = self._judged(features)
        if self.handicaps is not None:
            seeming = distances * self.handicaps
            distances, leads = seeming, leads - (seeming - distances)
        nearest = distances.argmin(1)
        rows = np.arange(len(features))
        known = leads[rows, nearest] > least[nearest]  # False for NaN
        known &= self.nearness.distances(features)[rows, nearest] <= self.thresholds[nearest]
        if experts == 1:
            return [[(self.tasks[n] if ok else BASE, 1.0)] for n, ok in zip(nearest, known, strict=True)]
        most = min(experts, len(self.tasks))
        return [self._weighted(row, most, sharpness) if ok else [(BASE, 1.0)]
                for row, ok in zip(distances, known, strict=True)]  # fmt: skip

    def _judged(self, features: Features) -> tuple[Array, Array, Array]:
        """How far each task is, its lead before strangers `[n, tasks]`, and the least lead that each needs."""
        if self.strangers is not None:
            judge = Judge(self.discriminant, self.classes, self.strangers.middle, self.strangers.rows)
            return *judge(features), self.strangers.least
        by_class = self.discriminant.distances(features)
        distances = np.minimum.reduceat(by_class[:, :-1], np.cumsum((0, *self.classes[:-1])), axis=1)
        return distances, by_class[:, -1:] - distances, np.zeros(len(self.tasks))

    def _weighted(self, distances: Array, experts: int, sharpness: float) -> list[tuple[str, float]]:
        order = np.argsort(distances, kind="stable")[:experts]
        shares = np.exp(-sharpness * (distances[order] - distances[order[0]]))
        return [
            (self.tasks[n], weight)
            for n, weight in zip(order, in_tenths((shares / shares.sum()).tolist()), strict=True)
            if weight
        ]


def in_tenths(shares: Sequence[float]) -> list[float]:
    """Shares that sum to 1, as tenths that sum to 1: what rounding down leaves goes to those that lost most, the
    earlier of equal ones."""
    tenths = [int(share * 10) for share in shares]
    lost = sorted(range(len(shares)), key=lambda n: (tenths[n] - shares[n] * 10, n))
    for n in lost[: 10 - sum(tenths)]:
        tenths[n] += 1
    return [tenth / 10 for tenth in tenths]


def fit_router(
    features: Mapping[str, Features],
    general: Features | Sequence[Features],
    seed: int,
    shrinkage: float | None = None,
    answers: Mapping[str, Answers | None] | None = None,
    point: Point | None = None,
    like: Router | None = None,
) -> Router:
    """Fits on `[n, features]` per task; `general` are features of prompts that no task is about, in one or several
    groups (as they are, in lower case, behind an instruction) with the same prompts in the same order.

    `answers`, `[n]` per task, say which of its rows have the same answer; `point` says where all features were read
    (None: `Base.old_reading`). `shrinkage` in [0, 1] of the covariance; None: as Ledoit and Wolf estimate it. `like`:
    a router over the same tasks and more of the same rows, whose limits are taken, which are most of the work, and
    where there are many rows their covariance.
    Deterministic in its inputs. Raises InvalidInput for no task, an empty one, differing widths or values not finite.
    """
    groups = [general] if isinstance(general, np.ndarray) else list(general)
    _check(features, groups)
    tasks = tuple(sorted(features))
    rows = [np.asarray(features[task], np.float64) for task in tasks]
    parts = [_by_answer(part, (answers or {}).get(task)) for task, part in zip(tasks, rows, strict=True)]
    beside = distinct([np.asarray(group, np.float64) for group in groups])
    many = sum(map(len, rows)) >= MANY * rows[0].shape[1]
    judge = fit_judge(parts, beside, shrinkage, like.discriminant if like is not None and many else None)
    if like is not None and like.strangers is not None:
        nearness, limits, least = like.nearness, like.thresholds, like.strangers.least
    else:
        nearness = fit_metric(rows, shrinkage)
        limits, least = _limits(rows, nearness, groups[0], seed, shrinkage), least_leads(parts, beside, seed, shrinkage)
    strangers = Strangers(judge.middle, judge.strangers, least)
    return Router(tasks, judge.discriminant, nearness, limits, judge.classes, strangers, point=point)


def _limits(rows: list[Array], nearness: Metric, general: Features, seed: int, shrinkage: float | None) -> Array:
    """`[tasks]`: how far a prompt may lie from its task as a whole."""
    near = [np.quantile(d, OWN_QUANTILE) if len(d) else 0.0 for d in _held_back_distances(rows, seed, shrinkage)]
    far = np.quantile(nearness.distances(general), GENERAL_QUANTILE, axis=0)
    thresholds = [n if n >= f else max(n, 1e-3) ** (1 - REACH) * f**REACH for n, f in zip(near, far, strict=True)]
    # A few wordings don't tell how far another one may lie: there the lead before strangers has to do more.
    return np.array([t * (1 + UNKNOWN / len(part)) for t, part in zip(thresholds, rows, strict=True)])


def _by_answer(rows: Array, answers: Answers | None) -> list[Array]:
    """A task's rows in classes: one per answer that repeats, and one of all rows whose answer is rare."""
    if answers is None:
        return [rows]
    numbers, counts = np.unique(answers, return_counts=True)
    repeated = numbers[counts >= FEWEST_OF_ANSWER]
    rare = rows[~np.isin(answers, repeated)]
    return [*(rows[answers == number] for number in repeated), *([rare] if len(rare) else [])]


def answer_numbers(texts: Sequence[str]) -> Answers:
    """Equal texts get equal numbers, also in another call. A guess at a text can be checked, so they are no secret."""
    digests = (hashlib.sha256(text.encode()).digest()[:8] for text in texts)
    return np.array([int.from_bytes(digest, "little", signed=True) for digest in digests], np.int64)


def _held_back_distances(rows: list[Array], seed: int, shrinkage: float | None) -> list[Array]:
    """Per task, its rows' distances to their own centre as fitted without them."""
    folds = [np.random.default_rng(seed).permutation(len(part)) % FOLDS for part in rows]
    distances_of: list[list[Array]] = [[np.zeros(0)] for _ in rows]
    for fold in range(FOLDS):
        kept = [part[labels != fold] for part, labels in zip(rows, folds, strict=True)]
        if all(map(len, kept)):
            metric = fit_metric(kept, shrinkage)
            for n, (part, labels) in enumerate(zip(rows, folds, strict=True)):
                distances_of[n].append(metric.distances(part[labels == fold].astype(np.float32), [n])[:, 0])
    return [np.concatenate(distances) for distances in distances_of]


def _check(features: Mapping[str, Features], groups: Sequence[Features]) -> None:
    if not features:
        raise InvalidInput("A router needs the features of at least one task.")
    widths = {part.shape[1] for part in (*features.values(), *groups) if part.ndim == 2}
    if not groups or not all(len(group) and np.isfinite(group).all() for group in groups):
        raise InvalidInput("A router needs finite features of general prompts.")
    for task, part in features.items():
        if part.ndim != 2 or not len(part):
            raise InvalidInput(f"Task {task!r} has no router features.")
        if not np.isfinite(part).all():
            raise InvalidInput(f"The router features of task {task!r} are not finite.")
    if len(widths) != 1:
        raise InvalidInput("Router features of tasks have differing widths: they come from different bases.")


def save_router(router: Router, routers: Path) -> tuple[str, Path]:
    """Writes `routers/<hash>` (safetensors + JSON) and returns both."""
    routers.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=routers, prefix=".router-"))
    try:
        arrays = {f"{name}.{field.name}": getattr(getattr(router, name), field.name)
                  for name in METRICS for field in fields(Metric)}  # fmt: skip
        arrays["thresholds"] = router.thresholds
        if router.handicaps is not None:
            arrays["handicaps"] = router.handicaps
        if router.strangers is not None:
            arrays |= {f"strangers.{field.name}": getattr(router.strangers, field.name) for field in fields(Strangers)}
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary / "router.safetensors"
        )
        mixed = {"experts": router.experts, "sharpness": router.sharpness} if router.experts > 1 else {}
        read_at = {"point": router.point.plain()} if router.point else {}
        write_json(temporary / "router.json", {"tasks": router.tasks, "classes": router.classes, **mixed, **read_at})
        temporary.chmod(0o755)
        router_hash = sha256_folder(temporary)
        return router_hash, adopt_folder(sync_tree(temporary), routers / router_hash)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def load_router(path: Path, router_hash: str | None = None) -> Router:
    """Raises TamperedArtifact where the files don't match `router_hash`, UnsafeModel where they are not a router."""
    if router_hash is not None and (not path.is_dir() or sha256_folder(path) != router_hash):
        raise TamperedArtifact(f"Router {router_hash[:12]} does not match its files and is not loaded.")
    try:
        check_safetensors(path / "router.safetensors")
        arrays = load_file(path / "router.safetensors")
        metrics = {
            name: Metric(**{field.name: arrays[f"{name}.{field.name}"] for field in fields(Metric)}) for name in METRICS
        }
        described = read_json(path / "router.json")
        tasks = tuple(described["tasks"])
        experts, sharpness = int(described.get("experts", 1)), float(described.get("sharpness", 10.0))
        classes = tuple(map(int, described.get("classes", [1] * len(tasks))))
        point = Point.read(described["point"]) if "point" in described else None
        strangers = None
        if "strangers.rows" in arrays:
            strangers = Strangers(**{field.name: arrays[f"strangers.{field.name}"] for field in fields(Strangers)})
        beside = len(metrics["discriminant"].centres) - sum(classes)  # groups of strangers; one in old routers
        if len(classes) != len(tasks) or min(classes) < 1 or beside < 1 or (strangers is None and beside != 1):
            raise ValueError("its classes are not those of its discriminant")
        return Router(tasks, thresholds=arrays["thresholds"], classes=classes, strangers=strangers, experts=experts,
                      sharpness=sharpness, point=point, handicaps=arrays.get("handicaps"), **metrics)  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnsafeModel(f"{path} does not hold a router: {error}.") from error


@dataclass(frozen=True)
class Seen:
    """What is known of a task's prompts."""

    features: Features  # [n, width]
    answers: Answers | None  # [n]: equal answers have equal numbers; None: not kept
    point: Point | None  # where the features were read; None: `Base.old_reading`
    strangers: Features | None = None  # [m, width]: general requests behind the task's instruction; None: it has none


def save_features(seen: Seen, folder: Path) -> tuple[str, Path]:
    """Writes a task's features to `folder/<hash>.safetensors`, so that routers can be fitted again without old data."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {"features": np.ascontiguousarray(seen.features, np.float32)}
    if seen.answers is not None:
        arrays["answers"] = np.ascontiguousarray(seen.answers, np.int64)
    if seen.strangers is not None:
        arrays["strangers"] = np.ascontiguousarray(seen.strangers, np.float32)
    metadata = {"point": canonical_json(seen.point.plain())} if seen.point else None
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        file = Path(temporary) / "features.safetensors"
        save_file(arrays, file, metadata)
        features_hash = sha256_file(file)
        write_bytes(folder / f"{features_hash}.safetensors", file.read_bytes())
    return features_hash, folder / f"{features_hash}.safetensors"


def load_features(file: Path) -> Seen:
    """Raises TamperedArtifact where a file named by its hash was changed, UnsafeModel where it is not one of ours."""
    if re.fullmatch(r"[0-9a-f]{64}", file.stem) and sha256_file(file) != file.stem:
        raise TamperedArtifact(f"The router features {file.stem[:12]} were changed on disk and are not used.")
    if "features" not in check_safetensors(file):
        raise UnsafeModel(f"{file.name} holds no router features.")
    kept = load_file(file)
    with safe_open(file, "np") as opened:
        metadata = opened.metadata() or {}
    try:
        point = Point.read(json.loads(metadata["point"])) if "point" in metadata else None
    except (ValueError, KeyError, TypeError) as error:
        raise UnsafeModel(f"{file.name} does not say where its features were read: {error}.") from error
    return Seen(kept["features"], kept.get("answers"), point, kept.get("strangers"))
