"""What a command works with: settings, database, store and who calls. Opened when it is used, not before."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clm.core.caller import Caller, command_line

if TYPE_CHECKING:
    from clm.core.database import Database
    from clm.settings import Settings
    from clm.store.store import Store


@dataclass(frozen=True)
class Context:
    @cached_property
    def settings(self) -> "Settings":
        from clm.settings import Settings

        settings = Settings.load()
        settings.paths.create()
        return settings

    @cached_property
    def database(self) -> "Database":
        from clm.core.database import Database

        database = Database(self.settings.database)
        database.migrate()
        return database

    @cached_property
    def store(self) -> "Store":
        from clm.store.store import Store

        return Store(self.settings.paths.data)

    @cached_property
    def caller(self) -> Caller:
        return command_line()

    def model(self, name: str | None) -> str:
        """The named model, or the only one there is."""
        from clm.catalog.service import get_model, only_model

        with self.database.read() as session:
            return get_model(session, name).name if name else only_model(session)


here = Context()
