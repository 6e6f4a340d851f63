"""`clm task`: what it shows, what it asks, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clm.catalog import service as catalog
from clm.cli import task
from clm.cli.context import Context
from clm.errors import Conflict, InvalidInput, NotFound
from clm.records import BASE
from clm.stages import impact
from clm.stages.impact import Impact, TaskImpact
from clm.updates import repository as update_rows
from cycle_home import MODEL, TEST, Home, colour_rows, town_rows
from experts_home import serve_experts

FOUND = Impact(
    MODEL, "town", "remove", "f" * 64, "a" * 64,
    (
        TaskImpact("colour", "other", 24, 0.9, 0.85, {"colour": 24}, {"colour": 22, BASE: 2}),
        TaskImpact("town", "removed", 24, 0.8, 0.1, {"town": 24}, {BASE: 20, "colour": 4}),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, copy_home: Callable[..., Home]) -> Home:
    home = copy_home(tmp_path_factory.mktemp("task") / "home")
    serve_experts(home, {"colour": colour_rows(0, 12), "town": town_rows(0, 12)})
    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name="later")
    return home


@pytest.fixture
def measured(home: Home, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool, Path | None]]:
    """The home as the command line's, and what was asked to be measured; measuring itself has tests of its own."""
    asked: list[tuple[str, bool, Path | None]] = []

    def measure(*place: object, removal: bool, file: Path | None = None, **_: object) -> Impact:
        asked.append((str(place[-1]), removal, file))
        return FOUND

    monkeypatch.setattr(impact, "measure", measure)
    monkeypatch.setenv("CLM_HOME", str(home.settings.home))
    monkeypatch.setattr(task, "here", Context())
    return asked


def run(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(task.app, list(words), input=answer, env={"COLUMNS": "200", "NO_COLOR": "1"})


Measured = list[tuple[str, bool, Path | None]]


def test_impact_is_a_table_with_a_sentence_for_what_changes_hands(measured: Measured) -> None:
    shown = run("impact", "town", "--remove")
    assert shown.exit_code == 0 and measured == [("town", True, None)]
    assert "Prompts of colour are answered by: the base 0 -> 2, colour 24 -> 22." in shown.output
    assert "-0.050" in shown.output and "ASTRAY AFTER" in shown.output
    told = json.loads(run("impact", "town", "-o", "json").stdout)
    assert measured[-1] == ("town", False, None)
    assert told["tasks"][1] | {"difference": None} == {
        "task": "town", "role": "removed", "n": 24, "before": 0.8, "after": 0.1, "difference": None,
        "answered_before": {"town": 24}, "answered_after": {BASE: 20, "colour": 4}, "strays_before": 0,
        "strays_after": 4,
    }  # fmt: skip
    assert isinstance(run("impact", "town", "--remove", "--add", __file__).exception, InvalidInput)


def queued(home: Home) -> list[str]:
    with home.database.read() as session:
        return [f"{u.kind} {u.task}" for u in update_rows.list_updates(session, model=MODEL, state="queued")]


def test_remove_shows_asks_and_only_then_queues(home: Home, measured: Measured) -> None:
    assert "Prompts of town" in run("remove", "town", "--dry-run").output
    assert run("remove", "town", answer="n\n").exit_code == 1
    assert queued(home) == []
    done = run("remove", "town", answer="y\n")
    assert done.exit_code == 0 and "is queued" in done.output and len(measured) == 3
    assert queued(home) == ["remove town"]


def test_a_protected_or_unknown_task_is_not_removed(home: Home, measured: Measured) -> None:
    with home.database.transaction() as session:
        catalog.edit_task(session, TEST, MODEL, "colour", {"protected": True})
    refused = run("remove", "colour", "--yes").exception
    assert isinstance(refused, Conflict) and "--force" in refused.sentence
    assert isinstance(run("remove", "colours", "--yes").exception, NotFound)
    assert measured == [] and "remove colour" not in queued(home)
    assert run("remove", "colour", "--force", "--dry-run").exit_code == 0 and len(measured) == 1


def test_a_task_without_an_expert_is_removed_at_once(home: Home, measured: Measured) -> None:
    done = run("remove", "later", "--yes")
    assert done.exit_code == 0 and "no other task is touched" in done.output and measured == []
    with home.database.read() as session:
        assert "later" not in [row.name for row in catalog.list_tasks(session, MODEL)]


def test_add_and_edit_say_group_weight_and_protection(home: Home, measured: Measured) -> None:
    added = run("add", "tone", "--group", "talk", "--weight", "2", "--protected")
    assert added.exit_code == 0 and "Its first update teaches it and fits the router" in added.output
    assert run("edit", "tone", "--weight", "0.5", "--no-protected", "--group", "").exit_code == 0
    rows = {row["name"]: row for row in json.loads(run("list", "-o", "json").stdout)}
    assert (rows["tone"]["group"], rows["tone"]["weight"], rows["tone"]["protected"]) == (None, 0.5, False)
    assert isinstance(run("edit", "tone").exception, InvalidInput)


def test_a_metric_is_proposed_from_the_rows(measured: Measured, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"prompt": f"q {n}", "completion": f"{n} euros"}) + "\n" for n in range(9)))
    assert "Scored by number: The answers are numbers" in run("add", "prices", "--rows", str(file)).output
    run("add", "prices-as-text", "--rows", str(file), "--metric", "exact_match")
    with home.database.read() as session:
        metrics = {task.name: task.metric for task in catalog.list_tasks(session, MODEL)}
    assert (metrics["prices"], metrics["prices-as-text"]) == ("number", "exact_match")
    assert home.store.count(MODEL, "prices") == 0  # the rows were only looked at
