"""Settings of this installation, read once: `CLM_*` variables over `$CLM_HOME/config.yaml` over the defaults."""

import difflib
import os
import re
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clm.core.artifacts import Artifacts
from clm.core.database import sqlite_url
from clm.errors import InvalidInput

_MISSPELT = 0.85  # how like a setting a variable's name is that is taken for one
_NOT_IN_URLS = "%?#[]|\\^"
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://")


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default=Path("~/.clm"), description="everything that CLM writes")
    host: str = Field(default="127.0.0.1", description="address to listen on; only loopback until accounts exist")
    api_port: Annotated[int, Field(ge=0, le=65535, description="API and dashboard")] = 8080
    gateway_port: Annotated[int, Field(ge=0, le=65535, description="OpenAI-compatible door")] = 8081
    engine_port: Annotated[int, Field(ge=0, le=65535, description="internal: the serving engine")] = 8082
    database_url: str | None = Field(default=None, description="SQLAlchemy URL; none: SQLite in home")
    threads: Annotated[int, Field(ge=1, le=256, description="CPU threads of trainer, evaluator and engine")] = min(
        os.cpu_count() or 1, 8
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where trainer, evaluator and engine compute; auto: CUDA where torch sees one"
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32", description="of the base's weights; what is trained stays float32"
    )
    engine: str = Field(default="transformers", description="what holds releases and answers; see clm.serving.engines")
    target: str = Field(default="local", description="where releases serve; see clm.deployment.targets")
    jobs: str = Field(
        default="subprocess", description="where training and evaluation run: in a process each, or in the worker's own"
    )
    max_line_bytes: Annotated[int, Field(ge=1024, description="longest accepted row")] = 1024 * 1024
    max_upload_bytes: Annotated[int, Field(ge=1024, description="largest accepted upload")] = 2 * 1024**3
    event_days: Annotated[
        float, Field(gt=0, le=3650, description="how long live events are kept; the newest 10,000 stay in any case")
    ] = 7
    allow_faults: bool = Field(default=False, description="let faults be switched on in engine slots (drills, demo)")
    judge_url: str | None = Field(default=None, description="OpenAI-compatible server whose model judges free text")
    judge_model: str | None = Field(default=None, description="its name there; part of a judged suite's version")
    judge_key_env: str = Field(default="JUDGE_API_KEY", description="environment variable with the server's key")
    mlflow_uri: str | None = Field(default=None, description="tracking server; none: SQLite in home")

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Reads environment and file. Raises InvalidInput for a file that can't be read, and for an unknown setting in
        it, with the nearest known name; variables that are none of ours are left alone."""
        env = _from_environment(cls.model_fields)
        home = Path(overrides.get("home") or env.get("home") or "~/.clm").expanduser().absolute()
        _check_home(home)
        values: dict[str, Any] = {
            **_from_file(home / "config.yaml"),
            **env,
            **{k: v for k, v in overrides.items() if v is not None},
            "home": home,
        }
        for name in values:
            if name not in cls.model_fields:
                near = difflib.get_close_matches(str(name), cls.model_fields, n=1)
                hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(sorted(cls.model_fields))}."
                raise InvalidInput(f"There is no setting {name!r}.{hint}", field=name)
        try:
            settings = cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise InvalidInput(f"Setting {name!r}: {first['msg']}.", field=name) from None
        if settings.host not in ("127.0.0.1", "localhost", "::1"):
            raise InvalidInput(
                f"CLM has no accounts yet, so it listens on this machine only; host {settings.host!r} is refused. "
                "Use 127.0.0.1, and a tunnel with its own login to reach it from elsewhere.",
                field="host",
            )
        return settings

    @cached_property
    def paths(self) -> "Paths":
        return Paths(self.home)

    @property
    def database(self) -> str:
        return self.database_url or sqlite_url(self.paths.database)

    @property
    def mlflow(self) -> str:
        return self.mlflow_uri or sqlite_url(self.paths.mlflow)

    def _url(self, port: int) -> str:
        return f"http://[{self.host}]:{port}" if ":" in self.host else f"http://{self.host}:{port}"

    @property
    def engine_url(self) -> str:
        return self._url(self.engine_port)

    @property
    def gateway_url(self) -> str:
        return self._url(self.gateway_port)

    @property
    def api_url(self) -> str:
        return self._url(self.api_port)


def _check_home(home: Path) -> None:
    """Databases and Delta tables are named by URLs, in which some characters mean something or may not be."""
    odd = sorted({letter for letter in str(home) if letter in _NOT_IN_URLS or not letter.isprintable()})
    if odd:
        raise InvalidInput(
            f"CLM can't keep its data under a path with {' '.join(map(repr, odd))} in it: {home}. Choose another home.",
            field="home",
        )


def _from_environment(known: Collection[str]) -> dict[str, str]:
    """`CLM_*` variables that are settings, and those that are nearly named so, which are mistakes.

    Others are somebody else's: for a service called `clm-api` Kubernetes sets CLM_API_PORT=tcp://10.0.0.1:8080,
    CLM_API_SERVICE_HOST and more in every pod.
    """
    given = {name[4:].lower(): value for name, value in os.environ.items() if name.startswith("CLM_")}
    return {
        name: value
        for name, value in given.items()
        if difflib.get_close_matches(name, known, n=1, cutoff=_MISSPELT) and not _SERVICE_LINK.match(value)
    }


def _from_file(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise InvalidInput(f"The settings in {file} can't be read: {problem}.", field="config.yaml") from None
    if values is not None and not isinstance(values, dict):
        raise InvalidInput(f"{file} must hold settings, one `name: value` a line.", field="config.yaml")
    return cast("dict[str, Any]", values or {})


class Paths:
    """Where things lie under home. Content-addressed folders are written once and never edited."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = home / "clm.db"
        self.dbos = home / "dbos.db"
        self.mlflow = home / "mlflow.db"
        self.routes = home / "routes.json"  # what gateway and engine follow, see clm.deployment.routes
        self.keys = home / "keys"
        self.logs = home / "logs"
        self.run = home / "run"  # locks and process ids
        self.data = home / "data"  # data/<model>/{records,suites}: Delta tables
        self.artifacts = Artifacts(home / "artifacts")
        self.bases = self.artifacts.bases
        self.experts = self.artifacts.experts
        self.features = self.artifacts.features
        self.routers = self.artifacts.routers
        self.states = self.artifacts.states
        self.memories = self.artifacts.memories
        self.answers = self.artifacts.answers
        self.releases = home / "releases"
        self.updates = home / "updates"  # updates/<id>/: job files, checkpoints, log
        self.spool = home / "spool"  # uploads on their way in

    def brought(self, operation_id: str) -> Path:
        """Where files lie that an operation was asked about."""
        return self.run / "brought" / operation_id

    def create(self) -> None:
        for folder in (self.keys, self.logs, self.run, self.data, self.bases, self.experts, self.features,
                       self.routers, self.states, self.memories, self.answers, self.releases, self.updates,
                       self.spool):  # fmt: skip
            folder.mkdir(parents=True, exist_ok=True)
        self.keys.chmod(0o700)
