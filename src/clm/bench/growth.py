"""Does an update get slower or larger as tasks pile up?

On an installation of its own, update after update teaches one more task with the same amount of new data. Every update
is a real one: the worker runs the cycle, with training and evaluation as processes of their own, and every task's suite
is asked again. The last updates are compared with the first ones by their medians.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clm.bench.bases import base_reference
from clm.bench.homes import measured_home
from clm.bench.options import GrowthOptions
from clm.bench.processes import PeakOf, cpu_seconds
from clm.bench.progress import Progress
from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.process import tail
from clm.errors import InvalidInput, TrainingFailed
from clm.ingest import service as ingest
from clm.ingest.intake import BatchSpec
from clm.installation import open_home
from clm.policies import ModelPolicy
from clm.records import UPDATE_ENDED
from clm.settings import Settings
from clm.stages.first_release import create_model
from clm.updates import repository as update_rows
from clm.updates import service as updates
from clm.updates.tables import Update

BENCH = Caller("bench")
MODEL = "growing"
JOBS = ("clm.training.job", "clm.evaluation.job")
LOOK_SECONDS = 0.1
LONGEST_SECONDS = 3600.0  # of one update
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def run(options: GrowthOptions, progress: Progress) -> dict[str, Any]:
    if options.updates < 2 * options.compared:
        raise InvalidInput(
            f"{options.updates} updates can't be compared {options.compared} by {options.compared}. "
            "Raise --updates, or lower --compared."
        )
    with measured_home(options.home, "growth") as home:
        installation = GrowthHome(home, options)
        progress.begin()
        measured: list[dict[str, Any]] = []
        with installation.worker():
            for number in range(options.updates):
                measured.append(installation.teach(number))
                seconds = measured[-1]["seconds"]
                progress.show((number + 1) / options.updates, f"update {number + 1} took {seconds:.1f} s")
    return figures(measured, options.compared)


def figures(measured: list[dict[str, Any]], compared: int) -> dict[str, Any]:
    """Last against first, in all and by stage. Memory is the larger of the two jobs' peaks.

    Computing time is that of worker and jobs: unlike seconds it does not depend on what else the machine does.
    """
    first, last = measured[:compared], measured[-compared:]
    stages = {
        stage: {"first": _median(first, stage, "stages"), "last": _median(last, stage, "stages")}
        for stage in measured[0]["stages"]
    }
    peaks = [max(each["memory_mb"].values(), default=0.0) for each in measured]
    memory = statistics.median(peaks[-compared:]), statistics.median(peaks[:compared])
    return {
        "ratio": _median(last, "seconds") / _median(first, "seconds"),
        "cpu_ratio": _ratio(_median(last, "cpu_seconds"), _median(first, "cpu_seconds")),
        "memory_ratio": _ratio(*memory),
        "stages": {name: {**pair, "more": pair["last"] - pair["first"]} for name, pair in stages.items()},
        "jobs": {
            job: {"first": _median(first, job, "memory_mb"), "last": _median(last, job, "memory_mb")}
            for job in measured[0]["memory_mb"]
        },
        "seconds": [each["seconds"] for each in measured],
        "cpu_seconds": [each["cpu_seconds"] for each in measured],
        "memory_mb": peaks,
        "ingest_seconds": [each["ingest"] for each in measured],
        "states": [each["state"] for each in measured],
    }


def _ratio(last: float, first: float) -> float | None:
    return last / first if first else None


def _median(measured: list[dict[str, Any]], key: str, within: str | None = None) -> float:
    return statistics.median(float((each[within] if within else each).get(key, 0.0)) for each in measured)


class GrowthHome:
    """A home with one model, to which task after task is added."""

    def __init__(self, home: Path, options: GrowthOptions) -> None:
        self._options = options
        self.settings = Settings.load(home=home, threads=options.threads)
        self._on = open_home(self.settings)
        self._database = self._on.database
        self._worker: subprocess.Popen[bytes] | None = None
        create_model(
            self._on, BENCH, name=MODEL, base=base_reference(options.base, home / "tiny"),
            policy=_policy(options),
        )  # fmt: skip

    @contextmanager
    def worker(self) -> Generator[None]:
        environment = {**os.environ, "CLM_HOME": str(self.settings.home), "CLM_THREADS": str(self._options.threads)}
        log = self.settings.paths.logs / "worker.log"
        command = [sys.executable, "-P", "-m", "clm.core.child", str(os.getpid()), "clm.worker"]
        with log.open("ab") as output:
            self._worker = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield
        finally:
            self._worker.send_signal(signal.SIGTERM)
            self._worker.wait(timeout=60)

    def teach(self, number: int) -> dict[str, Any]:
        """One more task: its data, then its update, measured."""
        task = f"task-{number + 1:03}"
        started = time.monotonic()
        with self._database.transaction() as session:
            catalog.add_task(session, BENCH, model=MODEL, name=task, holdout=0.0)
        rows = task_rows(number, self._options.rows + self._options.suite)
        self._take(task, rows[: self._options.suite], suite=True)
        self._take(task, rows[self._options.suite :], suite=False)
        ingested = time.monotonic() - started
        with self._database.transaction() as session:
            update_id = updates.create_update(session, BENCH, model=MODEL, task=task).id
        peak = PeakOf(self.settings.home, JOBS)
        computed = self._cpu_seconds()
        update = self._wait(update_id, peak)
        with self._database.read() as session:
            stages = update_rows.stages_of(session, update_id)
            taken = {s.name: _seconds(s.started_at, s.finished_at) for s in stages if s.finished_at}
        return {
            "seconds": _seconds(update.started_at, update.finished_at),
            "cpu_seconds": self._cpu_seconds() - computed,
            "stages": taken,
            "ingest": ingested,
            "memory_mb": peak.megabytes,
            "state": update.state,
        }

    def _cpu_seconds(self) -> float:
        """Of the worker and its ended jobs; 0 where the system does not tell."""
        return (cpu_seconds(self._worker.pid) if self._worker else None) or 0.0

    def _take(self, task: str, rows: list[dict[str, str]], *, suite: bool) -> None:
        file = self.settings.home / "rows.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        ingest.ingest(self._on.intake(BENCH), file, BatchSpec(MODEL, task, source="bench", suite=suite))

    def _wait(self, update_id: str, peak: PeakOf) -> Update:
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            with self._database.read() as session:
                update = updates.get_update(session, update_id)
            if update.state in UPDATE_ENDED:
                if update.state == "failed":
                    raise TrainingFailed(f"An update of the benchmark failed: {update.outcome}")
                return update
            if self._worker is not None and self._worker.poll() is not None:
                said = tail(self.settings.paths.logs / "worker.log", lines=1)
                raise TrainingFailed(f"The worker of the benchmark ended: {said or 'without a word'}")
            peak.look()
            time.sleep(LOOK_SECONDS)
        raise TrainingFailed(f"An update of the benchmark did not end within {LONGEST_SECONDS / 60:.0f} minutes.")


def task_rows(number: int, count: int) -> list[dict[str, str]]:
    """Rows of an invented task: its prompts share three words, and the answer repeats one of four others."""
    order = random.Random(f"task/{number}")
    first, second, third, *answers = (_word(order) for _ in range(7))
    return [{"prompt": f"{first} {second} {n} {answers[n % 4]} {third}", "completion": answers[n % 4]}
            for n in range(count)]  # fmt: skip


def _word(order: random.Random) -> str:
    return "".join(order.choice(CONSONANTS) + order.choice(VOWELS) for _ in range(order.randint(2, 4)))


def _policy(options: GrowthOptions) -> ModelPolicy:
    """The tiny base learns little, and here only the time counts: every candidate may pass."""
    training: dict[str, Any] = {"epochs": options.epochs, "rank": 8, "alpha": 16, "learning_rate": 5e-3}
    return ModelPolicy.model_validate({
        "training": training, "rollout": {"kind": "blue-green"}, "generation": {"max_new_tokens": 8},
        "gate": {"margin": 0.95, "best_ever_margin": 0.95, "require_gain": False},
    })  # fmt: skip


def _seconds(start: Any, end: Any) -> float:
    return round((end - start).total_seconds(), 3)
