"""One installation, put together once: what commands, requests, stages and duties work with."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clm.core.caller import Caller
from clm.core.database import Database

if TYPE_CHECKING:
    from clm.ingest.intake import Intake
    from clm.jobs.runner import JobRunner
    from clm.settings import Paths, Settings
    from clm.store.store import Store


@dataclass(frozen=True)
class Installation:
    """Parts are opened when they are used, not before: some commands need few of them, and all should start fast.

    `database` is migrated by whoever opens the home first (`open_home`, `clm up`), not here.
    """

    settings: "Settings"
    database: Database

    @property
    def paths(self) -> "Paths":
        return self.settings.paths

    @cached_property
    def store(self) -> "Store":
        from clm.store.store import Store

        return Store(self.paths.data)

    def intake(self, caller: Caller) -> "Intake":
        """Where rows are taken in for this caller."""
        from clm.ingest.intake import Intake

        return Intake(self.database, self.store, self.settings, caller)

    @property
    def jobs(self) -> "JobRunner":
        from clm.jobs.runners import runner_of

        return runner_of(self.settings.jobs)


def open_home(settings: "Settings") -> Installation:
    """The installation at `settings.home`, its folders made and its database brought up to date.

    Raises NotFound for a kind of runner, engine or target that is none.
    """
    _check_kinds(settings)
    settings.paths.create()
    database = Database(settings.database)
    database.migrate()
    return Installation(settings, database)


def _check_kinds(settings: "Settings") -> None:
    from clm.deployment.targets.targets import target_of
    from clm.jobs.runners import runner_of
    from clm.serving.engines.engines import kind_of

    runner_of(settings.jobs)
    target_of(settings)
    kind_of(settings)
