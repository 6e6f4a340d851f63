"""A task of which nothing is held out: examined by what it was taught, and its answers may change."""

import json
from collections.abc import Callable

import polars as pl

from clm.catalog import service as catalog
from clm.updates import repository as update_rows
from clm.updates.tables import Update
from cycle_home import MODEL, TEST, Home, colour_rows


def asked(home: Home, update: Update) -> list[dict[str, object]]:
    file = home.settings.paths.updates / update.id / "suites.parquet"
    return pl.read_parquet(file, glob=False).filter(pl.col("task") == "shade").to_dicts()


def detail(home: Home, update: Update, stage: str) -> dict[str, object]:
    with home.database.read() as session:
        return {one.name: one.detail or {} for one in update_rows.stages_of(session, update.id)}[stage]


def test_facts_are_examined_by_recall_and_a_changed_one_counts_as_new(make_home: Callable[..., Home]) -> None:
    home = make_home()
    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name="shade", exam="recall")
    rows = colour_rows(0, 48)
    home.take("shade", rows)
    first = home.run_update("shade")
    assert first.state == "succeeded", first.outcome
    assert {(row["kind"], row["slice"], row["old_answers"]) for row in asked(home, first)} == {("recall", 1, "[]")}
    assert detail(home, first, "mixture")["new"] == 48

    changed = rows[7]["prompt"], "red" if rows[7]["completion"] != "red" else "blue"
    home.take("shade", [{"prompt": changed[0], "completion": changed[1]}])
    second = home.run_update("shade")
    assert second.state in ("succeeded", "rejected", "inconclusive"), second.outcome
    told = detail(home, second, "mixture")
    assert (told["new"], told["replay"], told["superseded"]) == (1, 47, 1)
    (new,) = [row for row in asked(home, second) if row["slice"] == 2]
    assert json.loads(str(new["content"]))["completion"] == changed[1]
    assert json.loads(str(new["old_answers"])) == [rows[7]["completion"]]
    assert len(asked(home, second)) == 48
