"""A home with a tiny model and two tasks, whose updates run in the test's own process, or in the real worker.

    def test_something(make_home: Callable[..., Home]) -> None:
        home = make_home()                     # tasks colour and town, 48 rows and 24 held-out examples each
        home.take("colour", colour_rows(100, 16))
        update = home.run_update("colour")     # the whole cycle, inline: 2 s instead of 15

`make_home(policy=…)` takes another policy. `run_update(task)` and `finish(update_id)` need neither worker nor DBOS nor
processes for jobs; use `run_worker` and `start_worker` only where a process is what is tested (kill -9, recovery).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clm.catalog import service as catalog
from clm.catalog.tables import Model
from clm.core.caller import Caller
from clm.core.database import Database
from clm.ingest import service as ingest
from clm.ingest.intake import BatchSpec
from clm.installation import Installation
from clm.orchestration.inline import run_update
from clm.policies import ModelPolicy
from clm.records import UPDATE_ENDED
from clm.settings import Settings
from clm.stages.first_release import create_model
from clm.updates import service as updates
from clm.updates.tables import Update
from tiny import tiny_base

TEST = Caller("test")
MODEL = "tiny"
POLICY = ModelPolicy.model_validate(
    {
        "training": {"rank": 8, "alpha": 16, "epochs": 6, "learning_rate": 5e-3, "checkpoint_every": 4},
        "rollout": {"kind": "blue-green"},
        "gate": {"margin": 0.2, "require_gain": False},  # few steps teach it little; most tests ask for what follows
        "generation": {"max_new_tokens": 8},
    }
)
COLOURS = ("red", "green", "blue", "grey")
TOWNS = ("Rome", "Oslo", "Bern", "Graz")


def colour_rows(start: int, count: int) -> list[dict[str, str]]:
    """The answer repeats a word of the prompt: a tiny model can learn that."""
    return [
        {"prompt": f"paint {n} {COLOURS[n % 4]}", "completion": COLOURS[n % 4]} for n in range(start, start + count)
    ]


def town_rows(start: int, count: int) -> list[dict[str, str]]:
    return [{"prompt": f"go to {TOWNS[n % 4]} {n}?", "completion": TOWNS[n % 4]} for n in range(start, start + count)]


class Home:
    def __init__(self, path: Path) -> None:
        self.settings = Settings.load(home=path, threads=1, jobs="inline")
        self.settings.paths.create()
        self.database = Database(self.settings.database)
        self.store = self.installation.store

    @property
    def installation(self) -> Installation:
        return Installation(self.settings, self.database)

    @classmethod
    def make(cls, path: Path) -> None:
        """From nothing, at `path`: takes a few seconds, so it is done once per run and then copied."""
        home = cls(path)
        home.database.migrate()
        base = tiny_base(path / "tiny")
        create_model(home.installation, TEST, name=MODEL, base=str(base), policy=POLICY)
        for task in ("colour", "town"):
            with home.database.transaction() as session:
                catalog.add_task(session, TEST, model=MODEL, name=task, holdout=0.0)
        home.take("colour", colour_rows(1000, 24), suite=True)
        home.take("colour", colour_rows(0, 48))
        home.take("town", town_rows(1000, 24), suite=True)
        home.take("town", town_rows(0, 48))
        home.database.close()

    @classmethod
    def copy(cls, prepared: Path, path: Path, policy: ModelPolicy = POLICY) -> "Home":
        """A home that `make` made, at another place and with another policy."""
        shutil.copytree(prepared, path)
        home = cls(path)
        with home.database.transaction() as session:
            session.get_one(Model, MODEL).policy = policy.model_dump(mode="json")
        return home

    def take(self, task: str, rows: Sequence[Mapping[str, Any]], *, suite: bool = False) -> None:
        file = self.settings.home / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        ingest.ingest(self.installation.intake(TEST), file, BatchSpec(MODEL, task, source="test", suite=suite))

    def ask_for_update(self, task: str) -> str:
        with self.database.transaction() as session:
            return updates.create_update(session, TEST, model=MODEL, task=task).id

    def update(self, update_id: str) -> Update:
        with self.database.read() as session:
            return updates.get_update(session, update_id)

    def start_worker(self, failpoint: str = "") -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "CLM_HOME": str(self.settings.home),
            "CLM_THREADS": "1",
            "CLM_FAILPOINT": failpoint,
        }
        log = (self.settings.paths.logs / "worker.log").open("ab")
        return subprocess.Popen([sys.executable, "-m", "clm.worker"], env=environment, stdout=log, stderr=log)

    def run_worker(self, until: Callable[[], bool], seconds: float = 600) -> None:
        """Runs the worker until `until` holds, then stops it as `clm up` would. Ample time: only what hangs fails."""
        worker = self.start_worker()
        try:
            wait_for(until, seconds, lambda: worker.poll() is None)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(timeout=120)

    def finish(self, update_id: str) -> Update:
        """Runs a queued update to its end, in this process."""
        run_update(self.installation, update_id)
        return self.update(update_id)

    def run_update(self, task: str) -> Update:
        return self.finish(self.ask_for_update(task))

    def finish_by_worker(self, update_id: str) -> Update:
        """The same by the real worker, with a process per job."""
        self.run_worker(lambda: self.update(update_id).state in UPDATE_ENDED)
        return self.update(update_id)


def wait_for(holds: Callable[[], bool], seconds: float, alive: Callable[[], bool] = lambda: True) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert alive(), "the process ended before what was waited for"
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.1)
