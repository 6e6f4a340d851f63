"""kill -9 of the worker in every stage, then start it again: it must end where an undisturbed worker ends."""

import signal
from collections.abc import Callable

import pytest

from clm.audit import service as audit
from clm.catalog import service as catalog
from clm.cycle import STAGES
from clm.deployment import repository as deployments
from clm.registry import service as registry
from clm.updates import repository as update_rows
from clm.updates import service as updates
from cycle_home import MODEL, Home

pytestmark = pytest.mark.usefixtures("process")

UNDISTURBED = tuple(stage for stage in STAGES if stage != "repair")  # which only a failed gate calls for


def end_state(home: Home, update_id: str) -> dict[str, object]:
    """Everything that has to be equal."""
    with home.database.read() as session:
        update = updates.get_update(session, update_id)
        deployment = deployments.get_deployment(session, MODEL)
        return {
            "state": update.state,
            "release": update.release_id,
            "champion": deployment.champion,
            "candidate": deployment.candidate,
            "releases": [r.release_id for r in registry.list_releases(session, MODEL)],
            "rollouts": len(deployments.history(session, MODEL)),
            "rows": home.store.snapshot(MODEL).counts,
            "tasks": [t.name for t in catalog.list_tasks(session, MODEL)],
            "stages": {s.name: s.state for s in update_rows.stages_of(session, update_id)},
        }


@pytest.mark.slow
def test_killed_in_every_stage_it_ends_as_if_undisturbed(make_home: Callable[..., Home]) -> None:
    undisturbed = make_home("undisturbed")
    reference = undisturbed.run_update("colour")
    assert reference.state == "succeeded", reference.outcome

    home = make_home("killed")
    update_id = home.ask_for_update("colour")
    for stage in UNDISTURBED:  # each time its work is done, but not remembered yet
        worker = home.start_worker(failpoint=f"{stage}.done:kill")
        assert worker.wait(timeout=180) == -signal.SIGKILL, f"the worker was not killed in stage {stage}"
        assert home.update(update_id).state == "running"
    home.finish_by_worker(update_id)

    expected = end_state(undisturbed, reference.id)
    assert end_state(home, update_id) == expected
    assert expected["champion"] == reference.release_id
    assert all(state == "done" for state in expected["stages"].values())  # pyright: ignore
    with home.database.read() as session:
        assert audit.verify(session, home.settings.paths).ok
        attempts = {s.name: s.attempts for s in update_rows.stages_of(session, update_id)}
    assert all(attempts[stage] == 2 for stage in UNDISTURBED), attempts
