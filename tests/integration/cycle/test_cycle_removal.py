"""A task is taken out of a model that serves: the others' experts and answers stay, and so does its history."""

from collections.abc import Callable

import polars as pl
import pytest

from clm.audit import repository as audit
from clm.catalog import service as catalog
from clm.deployment import repository as deployments
from clm.errors import Conflict, NotFound
from clm.jobs.evaluation import EvaluationResult
from clm.jobs.files import read
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.updates import repository as update_rows
from clm.updates import service as updates
from cycle_home import MODEL, TEST, Home, colour_rows, town_rows
from experts_home import serve_experts


def test_removing_a_task_keeps_all_else(make_home: Callable[..., Home]) -> None:
    home = make_home()
    before = serve_experts(home, {"colour": colour_rows(0, 40), "town": town_rows(0, 40)})
    with home.database.transaction() as session:
        update_id = updates.create_update(session, TEST, model=MODEL, task="town", kind="remove").id
        with pytest.raises(Conflict, match="cancel it, or wait for its end"):
            updates.create_update(session, TEST, model=MODEL, task="town")
    update = home.finish(update_id)
    assert (update.state, update.kind) == ("succeeded", "remove"), update.outcome

    with home.database.read() as session:
        after = registry.get(session, deployments.get_deployment(session, MODEL).champion)
        stages = {stage.name: stage for stage in update_rows.stages_of(session, update_id)}
        actions = [entry.action for entry in audit.page(session, before=None, limit=50)]
        assert [task.name for task in catalog.list_tasks(session, MODEL)] == ["colour"]
        with pytest.raises(NotFound, match=r"'town' of model 'tiny' was removed on .*clm task add town"):
            catalog.get_task(session, MODEL, "town")
    assert after.composition.experts == {"colour": before.composition.experts["colour"]}
    assert after.parent == before.release_id
    assert (after.manifest["lineage"]["kind"], after.manifest["lineage"]["task"]) == ("remove", "town")
    assert set(bundles.read_lineage(home.settings.paths.releases / after.release_id)) == {"colour"}
    assert stages["train"].detail is not None and stages["train"].detail["removed"] == "town"
    assert "task.remove" in actions
    folder = home.settings.paths.updates / update_id / "evaluate"
    assert set(read(folder / "result.json", EvaluationResult).compositions["candidate"].scores) == {"colour"}
    answers = [pl.read_parquet(folder / f"answers-{name}.parquet", glob=False) for name in ("champion", "candidate")]
    assert answers[0]["answer"].to_list() == answers[1]["answer"].to_list()
    assert set(answers[1]["routed"]) == {"colour"}
    assert home.store.snapshot(MODEL).counts["town"] == 48  # its rows wait for its return

    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name="town", weight=2)
        assert catalog.get_task(session, MODEL, "town").removed_at is None
    assert home.run_update("town").state == "succeeded"  # taught again from what is still in the store
