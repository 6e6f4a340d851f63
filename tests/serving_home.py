"""A home with a tiny base and signed releases, and the real engine and gateway on it as processes of their own."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch

from clm.catalog.service import create_model
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.database import Database
from clm.core.ids import new_id
from clm.core.process import spawn, stop
from clm.deployment import service as deployment
from clm.deployment.targets.targets import reconcile
from clm.llm.base import Base, import_base, load_base
from clm.llm.experts import new_expert, save_expert
from clm.llm.prompts import chat_ids
from clm.llm.router import Seen, fit_router, load_router, save_features, save_router
from clm.llm.runtime import GenerationRequest, Runtime
from clm.policies import GenerationPolicy, ModelPolicy, RolloutPolicy
from clm.processes.services import SERVICES, environment
from clm.records import BASE, Composition, Release, TrafficWindow
from clm.registry.bundle import BundleSpec, write_bundle
from clm.settings import Settings
from tiny import tiny_base

CALLER = Caller("test")
MODEL = "support"
PROMPTS = {
    "colors": [f"{word} color has the thing number {n}?" for n in range(12) for word in ("Which", "What")],
    "sums": [f"{n}+{m}=" for n in range(5) for m in range(5)],
}
HTTP = httpx.Client(timeout=60)  # making one costs more than a request
GOOD = TrafficWindow(1000, 0, 1.0, 0, None)


@dataclass
class ServingHome:
    settings: Settings  # ports are 0 until `running` knows them: nobody listens there
    database: Database
    base: Base
    releases: dict[str, Release]  # "v1" …

    def on_other_ports(self) -> "ServingHome":
        """The same home for a second pair of services."""
        return replace(self, settings=self.settings.model_copy(update={"gateway_port": 0, "engine_port": 0}))

    def begin(self, name: str, policy: RolloutPolicy | None = None) -> str:
        """Begins a rollout of a release; the caller ticks it on."""
        with self.database.transaction() as session:
            chosen = policy or RolloutPolicy(steps=(30,))
            rollout = deployment.start_rollout(session, CALLER, self.releases[name], chosen, None).id
        reconcile(self.database, self.settings)
        return rollout

    def go_live(self, rollout: str) -> None:
        with self.database.transaction() as session:
            deployment.tick(session, CALLER, rollout, GOOD, GOOD, True, now())
        reconcile(self.database, self.settings)

    def act(self, action: str, **how: Any) -> None:
        with self.database.transaction() as session:
            deployment.act(session, CALLER, MODEL, action, **how)
        reconcile(self.database, self.settings)

    def expected(self, name: str, prompt: str, tokens: int) -> tuple[str, str]:
        """(text, expert) that the release must answer, computed here without engine and gateway."""
        runtime = Runtime(self.base)
        paths = self.settings.paths.releases / self.releases[name].release_id
        ids = chat_ids(self.base.tokenizer, [{"role": "user", "content": prompt}])
        task = load_router(paths / "router").route(runtime.features([ids]))[0]
        expert = None
        if task != BASE:
            expert = self.releases[name].composition.experts[task]
            runtime.load_expert(expert, paths / "experts" / task)
        return runtime.generate([GenerationRequest(ids, expert, tokens)])[0].text, task


def make_home(home: Path, count: int = 2) -> ServingHome:
    """`count` releases v1, v2, …: each with an expert of its own for sums, all with the same for colors; v1 serves."""
    settings = Settings(home=home, gateway_port=0, engine_port=0, threads=1, allow_faults=True)
    settings.paths.create()
    imported = import_base(str(tiny_base(home / "tiny")), settings.paths.bases)
    base = load_base(Path(imported.path), 1)
    runtime = Runtime(base)
    ids = {t: [chat_ids(base.tokenizer, [{"role": "user", "content": p}]) for p in PROMPTS[t]] for t in PROMPTS}
    features = {task: runtime.features(rows) for task, rows in ids.items()}
    general = np.random.default_rng(0).standard_normal((40, base.hidden_size)).astype(np.float32) * 9
    router = save_router(fit_router(features, general, 0, point=base.reading), settings.paths.routers)[1]
    kept = {
        task: save_features(Seen(rows, None, base.reading), settings.paths.features)[1]
        for task, rows in features.items()
    }
    releases: dict[str, Release] = {}
    for number in range(1, count + 1):
        spec = BundleSpec(
            model=MODEL, base_reference="tiny", base_hash=imported.base_hash, base_path=Path(imported.path),
            experts={"colors": _random_expert(base, settings, 1), "sums": _random_expert(base, settings, 1 + number)},
            features=kept, router=router, generation={"max_new_tokens": 8}, lineage={"number": number},
            expert_lineage={task: {} for task in PROMPTS},
        )  # fmt: skip
        bundle = write_bundle(spec, settings.paths.releases, settings.paths.keys)
        experts = {task: part["hash"] for task, part in bundle.manifest["experts"].items()}
        composition = Composition(imported.base_hash, experts, bundle.manifest["router"]["hash"])
        releases[f"v{number}"] = Release(
            bundle.release_id, MODEL, number, str(bundle.path), composition, None, bundle.manifest
        )
    database = Database(settings.database)
    database.migrate()
    policy = ModelPolicy(generation=GenerationPolicy(max_new_tokens=8))
    with database.transaction() as session:
        create_model(session, CALLER, name=MODEL, base_reference="tiny", base_hash=imported.base_hash, policy=policy)
        deployment.deploy_first(session, CALLER, MODEL, releases["v1"])
    reconcile(database, settings)
    return ServingHome(settings, database, base, releases)


@contextmanager
def running(home: ServingHome, *modules: str) -> Generator[None]:
    """The services as real processes, ready; stopped at the end. Each is told the ports of those before it."""
    logs = home.settings.paths.logs
    children: list[subprocess.Popen[bytes]] = []
    urls: list[str] = []
    try:
        for service in (service for module in modules for service in SERVICES if service.module == module):
            log = logs / f"{new_id('tst')}-{service.name}.log"
            children.append(spawn(service.module, log=log, environment=environment(home.settings)))
            port = told_port(log)
            home.settings = home.settings.model_copy(update={str(service.setting): port})
            urls.append(f"http://{home.settings.host}:{port}")
        for url in urls:
            wait_until(lambda url=url: _is_up(url), 180, f"{url} is up; see {logs}")
        yield
    finally:
        for child in reversed(children):
            code = stop(child, 20)
            assert code in (0, -signal.SIGTERM), f"a service ended with {code}, see {logs}"


def told_port(log: Path) -> int:
    """The port that a service says in its log that it listens on."""

    def lines() -> list[str]:
        return [line for line in log.read_text().splitlines(keepends=True) if line.startswith("{") and line[-1] == "\n"]

    wait_until(lambda: log.exists() and lines() != [], 180, f"a port is told in {log}")
    return json.loads(lines()[0])["port"]


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.05)


def _is_up(url: str) -> bool:
    try:
        return HTTP.get(f"{url}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _random_expert(base: Base, settings: Settings, seed: int) -> Path:
    expert = new_expert(base, base.trunk_layers, 4, 8, seed)
    generator = torch.Generator().manual_seed(seed)
    for _, second in expert.weights.values():
        second.normal_(0, 0.3, generator=generator)
    return save_expert(expert, base.hash, settings.paths.experts)[1]
