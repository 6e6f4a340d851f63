"""What a command works with: the installation and who calls. Opened when it is used, not before."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clm.core.caller import Caller, command_line

if TYPE_CHECKING:
    from clm.core.database import Database
    from clm.installation import Installation
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
    def installation(self) -> "Installation":
        from clm.installation import open_home

        return open_home(self.settings)

    @property
    def database(self) -> "Database":
        return self.installation.database

    @property
    def store(self) -> "Store":
        return self.installation.store

    @cached_property
    def caller(self) -> Caller:
        return command_line()

    def model(self, name: str | None) -> str:
        """The named model, or the only one there is."""
        from clm.catalog.service import get_model, only_model

        with self.database.read() as session:
            return get_model(session, name).name if name else only_model(session)


here = Context()
