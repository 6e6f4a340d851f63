"""This machine: gateway and engine follow routes.json, so that serving needs no database."""

from clm.core.files import write_bytes
from clm.deployment.targets.target import Target
from clm.formats.routes import Routes, read_routes, write_routes


class Local(Target):
    def apply(self, routes: Routes) -> None:
        text = write_routes(routes).encode()
        file = self.settings.paths.routes
        if not file.exists() or file.read_bytes() != text:
            write_bytes(file, text)

    def applied(self) -> int | None:
        file = self.settings.paths.routes
        return read_routes(file.read_text(encoding="utf-8")).revision if file.exists() else None
