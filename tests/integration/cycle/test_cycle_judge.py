"""A task that a model judges: an update whose judge does not answer is told as that, and is never released."""

import socket
from collections.abc import Callable

import pytest
from sqlalchemy import select

from clm.catalog.tables import Task
from clm.updates import repository as update_rows
from cycle_home import Home


def test_without_its_judge_an_update_is_inconclusive(
    make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clm.evaluation.judge.TRIES", 1)
    home = make_home()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    home.settings = home.settings.model_copy(update={"judge_url": nobody, "judge_model": "any"})
    with home.database.transaction() as session:
        for task in session.scalars(select(Task).where(Task.name == "colour")):
            task.metric = "judge"
    update = home.run_update("colour")
    assert update.state == "inconclusive", update.outcome
    assert "can't be reached" in str(update.outcome)
    with home.database.read() as session:
        detail = {stage.name: stage.detail or {} for stage in update_rows.stages_of(session, update.id)}
    assert "can't be reached" in detail["gate"]["reason"]
