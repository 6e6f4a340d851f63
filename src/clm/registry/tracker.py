"""MLflow as a mirror: who looks there finds each release as a run and a model version, with champion and challenger.

CLM never reads it back. A tracker that is slow, broken or away costs a sentence in the log, never a release or a
rollback: nothing here raises for that. MLflow takes seconds to import and, once per home, to set up its database, so
it is imported on first use; a worker calls `prepare` from a thread when it starts.
"""

import logging
import math
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from clm.core.hashing import short
from clm.errors import ClmError
from clm.records import Json, Release
from clm.settings import Settings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

T = TypeVar("T")
log = logging.getLogger(__name__)
RELEASE_TAG = "clm.release_id"
_PARAMS_PER_CALL = 100  # MLflow's limit
_PARAM_LENGTH = 6000  # MLflow's limit, characters
_lock = threading.Lock()  # one caller at a time: MLflow's first set-up of a database must not run twice


@dataclass(frozen=True)
class Mirrored:
    """`version` is MLflow's model version; None where `problem` tells why there is none."""

    version: str | None
    problem: str | None


def prepare(settings: Settings) -> str | None:
    """Imports MLflow and sets its database up. Returns the problem as a sentence, None if there is none."""
    return _guarded("be prepared", lambda: _client(settings).search_experiments(max_results=1))[1]


def mirror_release(settings: Settings, release: Release, metrics: Mapping[str, float] | None = None) -> Mirrored:
    """Writes a release as a run with parameters and scores, and a model version that points to its bundle.

    Doing it again, also after a crash half-way, leaves one run and one version. `metrics` are added to the scores.
    """
    version, problem = _guarded(
        f"note release {short(release.release_id)}", lambda: _write(settings, release, dict(metrics or {}))
    )
    return Mirrored(version, problem)


def mirror_aliases(settings: Settings, model: str, *, champion: str | None, challenger: str | None) -> str | None:
    """Moves MLflow's aliases to these releases (None: no such alias). Returns the problem, if there is one."""

    def move() -> None:
        client = _client(settings)
        for alias, release_id in (("champion", champion), ("challenger", challenger)):
            if release_id is None:
                client.delete_registered_model_alias(model, alias)
            else:
                client.set_registered_model_alias(model, alias, _version_of(client, model, release_id))

    return _guarded(f"move the aliases of {model!r}", move)[1]


def _write(settings: Settings, release: Release, metrics: dict[str, float]) -> str:
    from mlflow.entities import Metric, Param

    client = _client(settings)
    tags = {RELEASE_TAG: release.release_id, "clm.number": str(release.number), "clm.parent": release.parent or ""}
    experiment = _experiment(client, settings, release.model)
    runs = client.search_runs([experiment], f"tags.\"{RELEASE_TAG}\" = '{release.release_id}'", max_results=1)
    run = runs[0] if runs else client.create_run(experiment, run_name=f"{release.model} v{release.number}", tags=tags)
    run_id, at = run.info.run_id, run.info.start_time  # one moment for all, so that writing again writes the same
    params = [Param(name, value[:_PARAM_LENGTH]) for name, value in _params(release.manifest)]
    for start in range(0, len(params), _PARAMS_PER_CALL):
        client.log_batch(run_id, params=params[start : start + _PARAMS_PER_CALL])
    values = {**_scores(release.manifest), **metrics}
    client.log_batch(run_id, metrics=[Metric(k, v, at, 0) for k, v in sorted(values.items()) if math.isfinite(v)])
    version = _find_version(client, release.model, release.release_id)
    if version is None:
        if not client.search_registered_models(f"name = '{release.model}'"):
            client.create_registered_model(release.model, description="Kept current by CLM.")
        local = settings.mlflow_uri is None  # a tracking server refuses sources on disk, so it gets the name only
        source = (settings.home / release.path).as_uri() if local else f"clm:/releases/{release.release_id}"
        version = client.create_model_version(release.model, source, run_id, tags=tags).version
    client.set_terminated(run_id)
    return str(version)


def _experiment(client: "MlflowClient", settings: Settings, model: str) -> str:
    name = f"clm/{model}"
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return experiment.experiment_id
    # MLflow's own default would be `mlruns` in whatever folder the process was started from.
    local = (settings.home / "mlflow-artifacts").as_uri() if settings.mlflow_uri is None else None
    return client.create_experiment(name, artifact_location=local)


def _version_of(client: "MlflowClient", model: str, release_id: str) -> str:
    version = _find_version(client, model, release_id)
    if version is None:
        raise _Missing(f"release {short(release_id)} has no model version there yet")
    return version


def _find_version(client: "MlflowClient", model: str, release_id: str) -> str | None:
    query = f"name = '{model}' and tags.\"{RELEASE_TAG}\" = '{release_id}'"
    versions = client.search_model_versions(query, max_results=1)
    return str(versions[0].version) if versions else None


def _params(manifest: Json) -> Iterator[tuple[str, str]]:
    """What was decided and pinned: base, composition, policy, snapshot; dotted names."""
    yield "base.reference", manifest["base"]["reference"]
    yield "base.hash", manifest["base"]["hash"]
    yield "router", (manifest["router"] or {}).get("hash", "none")
    for task, expert in manifest["experts"].items():
        yield f"expert.{task}", expert["hash"]
    for part in ("generation", "policy", "snapshot"):
        yield from _flat(part, manifest[part] if part in manifest else manifest["lineage"].get(part, {}))


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}", item)
    else:
        yield name, str(value)


def _scores(manifest: Json) -> dict[str, float]:
    scores: Json = manifest["lineage"].get("scores", {})
    return {f"score/{task}": float(cell["score"]) for task, cell in scores.items()}


class _Missing(ClmError):
    """Something that MLflow should hold is not there."""


def _guarded(purpose: str, work: Callable[[], T]) -> tuple[T | None, str | None]:
    """Runs `work`; a failure of whatever kind becomes a sentence, for the mirror is never worth stopping for."""
    try:
        with _lock:
            return work(), None
    except Exception as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        problem = f"MLflow could not {purpose}: {first_line}. Releases and rollbacks go on without it."
        log.warning(problem, exc_info=log.isEnabledFor(logging.DEBUG))
        return None, problem


def _client(settings: Settings) -> "MlflowClient":
    return _client_for(settings.mlflow)


@cache
def _client_for(uri: str) -> "MlflowClient":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before the import: it starts a thread that calls home
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")  # seconds
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)
