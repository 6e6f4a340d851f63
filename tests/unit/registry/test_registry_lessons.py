"""What learned from a record: noted with the release, found without its bundle, filled in by the upgrade."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from clm.core.caller import Caller
from clm.core.database import Database
from clm.duties.duties import DUTIES
from clm.duties.lessons import Lessons
from clm.installation import Installation
from clm.migrations import upgrade
from clm.records import Release
from clm.registry import service
from clm.registry.bundle import BundleSpec, write_bundle
from clm.registry.tables import LessonRecord
from clm.settings import Paths, Settings
from clm.store.store import Store
from clm.views.lineage import render, trace
from upgrading import take_back

Register = Callable[..., Release]


@pytest.fixture
def register(either: Database, paths: Paths, make_spec: Callable[..., BundleSpec]) -> Register:
    def run(tasks: tuple[str, ...], model: str = "support", **taught: list[str]) -> Release:
        lineage = {task: {"record_ids": taught.get(task, [f"rec_{task}_{n}" for n in range(3)])} for task in tasks}
        spec = make_spec(tasks, model=model, expert_lineage=lineage)
        with either.transaction() as session:
            bundle = write_bundle(spec, paths.releases, paths.keys)
            return service.register(session, Caller("worker"), bundle, model=model, parent=None, update_id=None)

    return run


def learned(database: Database, record: str) -> list[tuple[str, int, str]]:
    with database.read() as session:
        return [(row.model, row.number, expert) for row, expert in service.learned_from(session, record)]


def told(database: Database, paths: Paths, record: str) -> dict[str, Any]:
    with database.read() as session:
        return trace(session, Settings(home=paths.home), Store(paths.data), record)


def rows(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(LessonRecord)) or 0


def test_a_record_finds_every_release_that_carries_what_learned_from_it(either: Database, register: Register) -> None:
    register(("intent",))
    register(("facts", "intent"))
    register(("facts", "intent"), facts=["rec_facts_9", "rec_intent_0", "rec_facts_9"])
    register(("intent",), model="legal")
    assert learned(either, "rec_intent_0") == [
        ("legal", 1, "intent"), ("support", 3, "facts"), ("support", 3, "intent"), ("support", 2, "intent"),
        ("support", 1, "intent"),
    ]  # fmt: skip
    assert learned(either, "rec_facts_9") == [("support", 3, "facts")]
    assert learned(either, "rec_unknown") == []


def test_what_is_carried_over_costs_no_row(either: Database, register: Register) -> None:
    register(("intent",))
    assert rows(either) == 3
    register(("facts", "intent"))
    assert rows(either) == 6
    register(("facts", "intent"))
    register(("intent",))
    assert rows(either) == 6


def test_a_trace_upwards_needs_no_bundle(either: Database, register: Register, paths: Paths) -> None:
    release = register(("intent",))
    shutil.rmtree(paths.releases)
    assert told(either, paths, "rec_intent_2") == {
        "record": "rec_intent_2",
        "learned_by": [{"release": release.release_id, "number": 1, "model": "support", "task": "intent",
                       "expert": "intent"}],
        "unread": [],
    }  # fmt: skip
    assert render(told(either, paths, "rec_intent_2")).endswith("  v1 of support, expert intent")


def test_lessons_are_there_if_and_only_if_their_release_is(
    either: Database, paths: Paths, make_spec: Callable[..., BundleSpec]
) -> None:
    bundle = write_bundle(make_spec(("intent",)), paths.releases, paths.keys)
    with pytest.raises(RuntimeError), either.transaction() as session:
        service.register(session, Caller("worker"), bundle, model="support", parent=None, update_id=None)
        raise RuntimeError
    assert rows(either) == 0
    assert learned(either, "rec_intent_0") == []


def test_after_an_upgrade_the_bundles_that_are_there_are_read_and_damaged_ones_are_named(
    either: Database, register: Register, paths: Paths
) -> None:
    register(())
    register(("intent",))
    damaged = register(("facts",))
    missing = register(("facts", "intent", "other"))
    (paths.home / damaged.path / "lineage/facts.json").write_text("{}")
    shutil.rmtree(paths.home / missing.path)
    take_back(either, "0013")
    upgrade(either)
    assert len(told(either, paths, "rec_facts_1")["unread"]) == 5
    assert DUTIES["lessons"][0] is Lessons
    duty = Lessons(Installation(Settings(home=paths.home), either))
    for _ in range(2):
        duty.tick()
        assert learned(either, "rec_intent_1") == [("support", 4, "intent"), ("support", 2, "intent")]
        assert learned(either, "rec_facts_1") == []
        unread = {(one["release"], one["expert"]) for one in told(either, paths, "rec_facts_1")["unread"]}
        assert unread == {
            (damaged.release_id, "facts"), (missing.release_id, "facts"), (missing.release_id, "other")
        }  # fmt: skip
    assert "could not read it" in render(told(either, paths, "rec_facts_1"))

    shutil.rmtree(paths.home / damaged.path)
    register(("facts", "third"))  # carries over the same lesson, whole
    assert learned(either, "rec_facts_1") == [
        ("support", 5, "facts"), ("support", 4, "facts"), ("support", 3, "facts")
    ]  # fmt: skip
    assert learned(either, "rec_third_0") == [("support", 5, "third")]
