"""What a command works with: the API of this home, and who calls. Opened when it is used, not before."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from clm.core.caller import Caller, command_line
from clm.errors import only_model

if TYPE_CHECKING:
    from clm.cli.api import Api
    from clm.installation import Installation
    from clm.settings import Settings


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
        """For what runs in this process: services, the demo, and what no service that runs could do."""
        from clm.installation import open_home

        return open_home(self.settings)

    @cached_property
    def api(self) -> "Api":
        from clm.cli.api import Api

        return Api(self.settings, self.caller.actor, lambda: _app(self.installation))

    @cached_property
    def caller(self) -> Caller:
        return command_line()

    def model(self, name: str | None) -> str:
        """The named model, or the only one there is."""
        if name:
            from clm.cli.api import part

            return self.api.get(f"/models/{part(name)}")["name"]
        return only_model([model["name"] for model in self.api.every("/models")])


def _app(on: "Installation"):
    from clm.app import create_app

    return create_app(on)


here = Context()
