"""This machine: gateway and engine follow routes.json, so that serving needs no database."""

from typing import Any

from clm.core.files import read_json, write_json
from clm.deployment.targets.target import Target


class Local(Target):
    def apply(self, routes: dict[str, Any]) -> None:
        file = self.settings.paths.routes
        if not file.exists() or read_json(file) != routes:
            write_json(file, routes)

    def applied(self) -> int | None:
        file = self.settings.paths.routes
        return int(read_json(file)["revision"]) if file.exists() else None
