"""One installation, put together once: what commands, requests, stages and duties work with."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clm.core.database import Database

if TYPE_CHECKING:
    from clm.jobs.runners import JobRunner
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

    @property
    def jobs(self) -> "JobRunner":
        from clm.jobs.runners import RUNNERS

        return RUNNERS[self.settings.jobs]


def open_home(settings: "Settings") -> Installation:
    """The installation at `settings.home`, its folders made and its database brought up to date."""
    settings.paths.create()
    database = Database(settings.database)
    database.migrate()
    return Installation(settings, database)
