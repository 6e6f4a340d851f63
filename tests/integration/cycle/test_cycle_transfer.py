"""A new task's update says where its expert started, and the release keeps it."""

from collections.abc import Callable

import pytest

from clm.registry import service as registry
from clm.updates import repository as update_rows
from clm.updates.views import update_out
from cycle_home import MODEL, Home, colour_rows
from experts_home import serve_experts


def test_a_new_task_tells_its_start_and_stands_beside_the_original_ones(make_home: Callable[..., Home]) -> None:
    home = make_home()
    serve_experts(home, {"colour": colour_rows(0, 40)})
    update = home.run_update("town")
    assert update.state == "succeeded", update.outcome
    with home.database.read() as session:
        detail = next(s.detail for s in update_rows.stages_of(session, update.id) if s.name == "train") or {}
        release = registry.get(session, str(update.release_id), MODEL)
        shown = update_out(session, update)
    transfer = detail["transfer"]
    assert detail["started_from"] == transfer["started_from"] in ("colour", "fresh")
    assert transfer["nearest"] == "colour" and set(transfer["distances"]) == {"colour"}
    assert transfer["forward_transfer"] == pytest.approx(transfer["loss_fresh"] - transfer["loss_warm"], abs=1e-5)
    assert release.manifest["lineage"]["training"]["transfer"] == transfer
    assert shown.verdict is not None
    assert {task.task: task.role for task in shown.verdict.tasks} == {"colour": "original", "town": "new"}
    for task in shown.verdict.tasks:
        assert task.difference == pytest.approx(task.candidate - task.champion)
