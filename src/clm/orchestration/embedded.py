"""The embedded runner: DBOS on SQLite (or PostgreSQL). Turns the cycle's stages into durable steps."""

from collections.abc import Callable
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from clm.core.database import sqlite_url
from clm.installation import Installation
from clm.orchestration.serialization import JsonSerializer
from clm.orchestration.steps import run_to_its_end
from clm.stages.work import Work


class Runner:
    """Starts updates and takes up the ones that a crash interrupted. One per installation, in the worker."""

    def __init__(self, on: Installation) -> None:
        self._work = Work(on)
        settings = on.settings
        url = sqlite_url(settings.paths.dbos) if settings.database_url is None else settings.database_url
        config: DBOSConfig = {
            "name": "clm",
            "system_database_url": url,
            "serializer": JsonSerializer(),
            "application_version": "2",  # of the cycle's order of steps; raise it when that changes
            "executor_id": "worker",
            "log_level": "WARNING",
        }
        DBOS(config=config)

        @DBOS.workflow(name="update")
        def workflow(update_id: str) -> str:  # a plain function: DBOS marks it, which a bound method does not let it
            return self._run(update_id)

        self._workflow = workflow

    def launch(self) -> None:
        """Opens DBOS's tables and goes on with every update that was under way."""
        DBOS.launch()

    def start(self, update_id: str) -> None:
        """Starts an update; for one that was started before, this does nothing."""
        with SetWorkflowID(update_id):
            DBOS.start_workflow(self._workflow, update_id)

    def close(self) -> None:
        DBOS.destroy(workflow_completion_timeout_sec=0)

    def _run(self, update_id: str) -> str:
        return run_to_its_end(self._work, update_id, _durably)


def _durably(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    return DBOS.run_step({"name": name}, function, *arguments)
