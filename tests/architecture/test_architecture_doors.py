"""Adding one of a kind is a file, and its import and entry in the one dict of that kind. Each is done with a dummy,
in a copy, and the shared suite of its kind must then be applied to it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tree import ROOT


@dataclass(frozen=True)
class Door:
    kind: str
    file: str  # the new one, under src/clm
    code: str
    registry: str  # the file with the dict
    imported: str
    before: str  # an entry that is there already
    entry: str
    suite: str  # the tests that apply to every one
    least: int  # of them, for one


DOORS = (
    Door(
        "source",
        "ingest/sources/dummy.py",
        """
from clm.errors import InvalidInput
from clm.ingest.intake import Intake
from clm.ingest.sources.source import SourceKind
from clm.ingest.tables import Source
from clm.records import IngestReport, Json


class Dummy(SourceKind):
    def check(self, settings: Json) -> tuple[str, Json]:
        if settings != {"topic": "rows"}:
            raise InvalidInput("Name the topic.", field="settings.topic")
        return "rows", settings

    def poll(self, intake: Intake, source: Source) -> list[IngestReport]:
        return []
""",
        "ingest/sources/kinds.py",
        "from clm.ingest.sources.dummy import Dummy",
        '    "folder": Folder(),',
        '    "dummy": Dummy(),',
        "tests/integration/ingest/test_ingest_sources.py",
        3,
    ),
    Door(
        "signal",
        "duties/signals/dummy.py",
        """
from clm.duties.signals.signal import Signal, Watched
from clm.trigger.policy import Decision


class Dummy(Signal):
    def look(self, at: Watched) -> dict[str, Decision]:
        return dict.fromkeys(at.tasks, Decision(False, "nothing has changed"))
""",
        "duties/signals/signals.py",
        "from clm.duties.signals.dummy import Dummy",
        '    "volume": Volume(),',
        '    "dummy": Dummy(),',
        "tests/unit/duties/test_duties_kinds.py",
        1,
    ),
    Door(
        "duty",
        "duties/dummy.py",
        """
from clm.duties.duty import Duty


class Dummy(Duty):
    def tick(self) -> None:
        self.on.paths.create()
""",
        "duties/duties.py",
        "from clm.duties.dummy import Dummy",
        '    "anchors": (Anchors, 900.0),',
        '    "dummy": (Dummy, 5.0),',
        "tests/unit/duties/test_duties_kinds.py",
        1,
    ),
    Door(
        "target",
        "deployment/targets/dummy.py",
        """
from clm.deployment.targets.target import Target
from clm.formats.routes import Routes


class Dummy(Target):
    def apply(self, routes: Routes) -> None:
        (self.settings.home / "told").write_text(str(routes.revision))

    def applied(self) -> int | None:
        told = self.settings.home / "told"
        return int(told.read_text()) if told.exists() else None
""",
        "deployment/targets/targets.py",
        "from clm.deployment.targets.dummy import Dummy",
        '    "local": Local,',
        '    "dummy": Dummy,',
        "tests/unit/deployment/test_deployment_targets.py",
        2,
    ),
    Door(
        "engine",
        "serving/engines/dummy.py",
        """
from clm.serving.engines.transformers import TransformersControl, TransformersEngine


class Dummy(TransformersEngine):
    pass


class DummyControl(TransformersControl):
    pass
""",
        "serving/engines/engines.py",
        "from clm.serving.engines.dummy import Dummy, DummyControl",
        '    "transformers": EngineKind(TransformersEngine, TransformersControl),',
        '    "dummy": EngineKind(Dummy, DummyControl),',
        "tests/unit/serving/test_serving_engines.py",
        2,
    ),
    Door(
        "runner",
        "jobs/dummy.py",
        """
from clm.jobs.inline import Inline


class Dummy(Inline):
    pass
""",
        "jobs/runners.py",
        "from clm.jobs.dummy import Dummy",
        '    "inline": Inline(),',
        '    "dummy": Dummy(),',
        "tests/unit/jobs/test_jobs_runners.py",
        4,
    ),
)


def add(door: Door, source: Path) -> None:
    (source / door.file).write_text(f'"""A dummy."""\n{door.code}')
    registry = source / door.registry
    text = registry.read_text()
    assert text.count(door.before) == 1, f"{door.registry} has no line {door.before!r}"
    text = text.replace(door.before, f"{door.before}\n{door.entry}")
    registry.write_text(re.sub(r"^from clm\.", f"{door.imported}\nfrom clm.", text, count=1, flags=re.MULTILINE))


@pytest.mark.usefixtures("process")
def test_a_file_and_an_entry_are_enough_and_the_shared_suite_covers_them(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "dashboard"))
    for door in DOORS:
        add(door, tmp_path / "src" / "clm")
    suites = sorted({door.suite for door in DOORS})
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-vv",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-k",
        "dummy",
        *suites,
    ]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    env = {**alone, "PYTHONPATH": str(tmp_path / "src")}
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    for door in DOORS:
        passed = re.findall(rf"^{re.escape(door.suite)}::\S*dummy\S* PASSED", ran.stdout, flags=re.MULTILINE)
        assert len(passed) >= door.least, f"the shared suite of {door.kind}s does not cover a new one: {passed}"
