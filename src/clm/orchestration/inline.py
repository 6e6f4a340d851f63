"""Runs an update in this process and thread, without a worker and without DBOS: for tests and notebooks.

    on = open_home(Settings.load(home=..., jobs="inline"))
    with on.database.transaction() as session:
        update_id = updates.create_update(session, Caller("me"), model="m", task="t").id
    run_update(on, update_id)  # "succeeded", "rejected", …

The stages, their results and the release are those of the worker. What is missing is durability: an update that is cut
off is taken up by no one, and the home must have no worker running.
"""

from collections.abc import Callable
from typing import Any

from clm.duties.rollouts import Rollouts
from clm.installation import Installation
from clm.orchestration.serialization import JsonSerializer
from clm.orchestration.steps import run_to_its_end
from clm.stages.work import Work

_serializer = JsonSerializer()


def run_update(on: Installation, update_id: str) -> str:
    """Runs a queued update to its end and returns how it ended."""
    rollouts = Rollouts(on)
    try:
        return run_to_its_end(Work(on, rollouts.tick), update_id, _at_once)
    finally:
        rollouts.close()


def _at_once(_: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a step returns goes through JSON, as the worker remembers it."""
    return _serializer.deserialize(_serializer.serialize(function(*arguments)))
