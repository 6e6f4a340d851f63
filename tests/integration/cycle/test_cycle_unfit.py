"""Rows that were fit when they came and are not any more: left out, named and counted, and the update goes on."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from clm.cli import update as update_command
from clm.cli.context import Context
from clm.core.content import content_hash
from clm.ingest.dropping import drop
from clm.stages.work import Work
from clm.updates import repository as update_rows
from clm.updates.tables import Update
from cycle_home import MODEL, TEST, Home, colour_rows

LONG = "red and " * 40  # 321 tokens with its end


def lower(home: Home, update_id: str, longest: int) -> None:
    with home.database.transaction() as session:
        update = session.get_one(Update, update_id)
        update.policy = {**update.policy, "training": {**update.policy["training"], "max_tokens": longest}}


def test_a_long_row_is_left_out_by_itself(make_home: Callable[..., Home]) -> None:
    home = make_home()
    home.take("colour", [{"prompt": "paint all", "completion": LONG}])
    work, update = Work(home.installation), home.ask_for_update("colour")
    snapshot, _, _ = work.snapshot(update)
    mixture, detail, _ = work.mixture(update, snapshot)
    assert (mixture.new_rows, detail["unfit"]) == (49, 0)

    lower(home, update, 64)
    mixture, detail, said = work.mixture(update, snapshot)
    [record] = mixture.unfit
    assert (mixture.new_rows, detail["unfit"], detail["held"]) == (48, 1, 0)
    assert "at most 63" in detail["left_out"][record]
    assert f"1 can't be trained on and were left out: {record}" in said

    lower(home, update, 16)  # "paint 1 red" is cut, no answer is longer: only the one that was
    assert work.mixture(update, snapshot)[0].new_rows == 48


def test_an_update_goes_on_without_the_rows_that_it_can_not_use(
    make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken where nothing could check them: an answer of 2,251 tokens, and an example that no context holds."""
    home = make_home()
    with monkeypatch.context() as unchecked:
        unchecked.setattr("clm.llm.fitness.find_spec", lambda name: None)
        home.take("colour", [{"prompt": "paint all", "completion": "a" * 2250}])
        home.take("colour", [{"prompt": "q" * 2100, "completion": "red"}], suite=True)
    rows = [row["record_id"] for row in home.store.rows(MODEL, [record_of(row) for row in colour_rows(0, 2)])]
    with home.database.transaction() as session:
        drop(session, home.store, TEST, model=MODEL, record_ids=rows[:1], suite=False, reason="a slip")

    update = home.run_update("colour")
    assert update.state == "succeeded", update.outcome
    with home.database.read() as session:
        detail = {stage.name: stage.detail or {} for stage in update_rows.stages_of(session, update.id)}
    mixture, evaluate = detail["mixture"], detail["evaluate"]
    assert (mixture["new"], mixture["unfit"], mixture["dropped"]) == (47, 1, 1)
    assert "2251 tokens" in next(iter(mixture["left_out"].values()))
    assert evaluate["unfit"] == 1 and "at most 2047" in next(iter(evaluate["left_out"].values()))
    assert "Left out of mixture: rec_" in clm_update_show(home, update.id, monkeypatch)


def record_of(row: dict[str, str]) -> str:
    return "rec_" + content_hash("completion", row)[:24]


def clm_update_show(home: Home, update_id: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CLM_HOME", str(home.settings.home))
    monkeypatch.setattr(update_command, "here", Context())
    return CliRunner().invoke(update_command.app, ["show", update_id], env={"COLUMNS": "200"}).output
