"""`clm suite`: ready-made suites become tasks with held-out examples and nothing else."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from clm.catalog import service as catalog
from clm.cli import suite
from clm.cli.context import Context
from clm.errors import Conflict
from clm.evaluation import harness
from cycle_home import MODEL, TEST, Home


@pytest.fixture
def home(make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch) -> Home:
    home = make_home()
    monkeypatch.setenv("CLM_HOME", str(home.settings.home))
    context = Context()
    monkeypatch.setattr(suite, "here", context)
    monkeypatch.setattr("clm.cli.data.here", context)
    return home


def run(*words: str) -> Result:
    return CliRunner().invoke(suite.app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_the_general_suite_becomes_a_task_without_training_rows(home: Home) -> None:
    made = run("general")
    assert made.exit_code == 0 and "(general, suite): received 40 = accepted 40" in made.output
    with home.database.read() as session:
        task = catalog.get_task(session, MODEL, "general")
        assert (task.metric, task.margin, task.holdout, task.watched) == ("choice", 0.1, 0.0, True)
        assert not catalog.get_task(session, MODEL, "colour").watched
    snapshot = home.store.snapshot(MODEL)
    assert snapshot.suites["general"] == 40 and not snapshot.counts.get("general")
    assert "duplicate 40" in run("general").output  # once more changes nothing


def test_a_task_made_by_hand_is_watched_from_then_on(home: Home) -> None:
    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name="ability", metric="choice")
    assert run("general", "--task", "ability").exit_code == 0
    with home.database.read() as session:
        assert catalog.get_task(session, MODEL, "ability").watched


def test_a_task_of_the_harness_is_taken_in_under_its_metric(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself has tests of its own where it is installed."""
    asked: list[object] = []

    def rows(*options: object) -> tuple[str, list[dict[str, str]]]:
        asked.append(options)
        return "perplexity", [{"text": f"once upon a time {n}"} for n in range(3)]

    monkeypatch.setattr(harness, "harness_suite", rows)
    made = run("harness", "tales", "--limit", "3", "--margin", "0.2")
    assert made.exit_code == 0 and "(tales, suite): received 3 = accepted 3" in made.output
    assert asked == [("tales", None, 3, None)]
    with home.database.read() as session:
        assert catalog.get_task(session, MODEL, "tales").metric == "perplexity"
    refused = run("harness", "tales", "--task", "colour")
    assert isinstance(refused.exception, Conflict) and "is scored by exact_match" in str(refused.exception)
