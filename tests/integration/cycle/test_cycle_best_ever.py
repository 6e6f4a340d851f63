"""A candidate is compared with the best release that its task ever had, not only with the champion."""

from collections.abc import Callable

from sqlalchemy import update as change

from clm.catalog import service as catalog
from clm.evaluation.general import general_suite
from clm.evaluation.tables import Score
from clm.jobs.evaluation import Answered, EvaluationResult
from clm.jobs.files import read
from clm.views.service import ledger_of
from cycle_home import MODEL, TEST, Home, colour_rows


def answered(home: Home, update_id: str) -> dict[str, Answered]:
    folder = home.settings.paths.updates / update_id / "evaluate"
    return read(folder / "result.json", EvaluationResult).compositions


def test_an_earlier_release_that_was_better_is_asked_again(make_home: Callable[..., Home]) -> None:
    home = make_home()
    first = home.run_update("colour")
    assert first.state == "succeeded", first.outcome
    home.take("colour", colour_rows(100, 16))
    second = home.run_update("colour")
    assert second.state == "succeeded", second.outcome
    assert "best-v2" not in answered(home, second.id)

    with home.database.transaction() as session:  # v2 was the best, v3 a little worse
        session.execute(change(Score).where(Score.release_id == first.release_id).values(score=0.99))
        session.execute(change(Score).where(Score.release_id == second.release_id).values(score=0.95))
    home.take("colour", colour_rows(200, 16))
    third = home.run_update("colour")
    assert third.state == "succeeded", third.outcome
    scores = answered(home, third.id)["best-v2"].scores
    assert list(scores) == ["colour"]
    assert scores["colour"].reused == 24  # its answers were known
    (task,) = (third.verdict or {})["tasks"]
    assert task["since_best"] is not None
    assert 0 < task["power"] <= 1 and 0 < task["p_value"] <= 1

    with home.database.transaction() as session:  # a suite that no release is taught
        catalog.add_task(session, TEST, model=MODEL, name="general", metric="choice", margin=0.5, holdout=0.0,
                         watched=True)  # fmt: skip
        catalog.add_task(session, TEST, model=MODEL, name="waiting", holdout=0.0)  # its rows come another day
    home.take("general", general_suite(), suite=True)
    home.take("waiting", colour_rows(3000, 3), suite=True)
    town = home.run_update("town")
    assert town.state == "succeeded", town.outcome
    with home.database.read() as session:
        told = ledger_of(session, MODEL)
    assert told.forward_transfer is not None  # the untouched base was asked about the new task
    assert "waiting" not in [line.task for line in told.tasks]  # three examples of it would have held the update up
    general = next(line for line in told.tasks if line.task == "general")
    by_release = {cell.number or 0: cell.score for cell in general.cells}
    assert told.general_change == by_release[max(by_release)] - by_release[1]
