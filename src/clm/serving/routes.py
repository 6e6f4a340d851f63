"""The routes that gateway and engine follow: routes.json, written by clm.deployment.routes. No database is needed."""

import json
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Route:
    """Who answers for a model. Shares are percent of its requests."""

    model: str
    base_hash: str
    champion: str
    previous: str | None
    candidate: str | None
    candidate_share: float
    max_new_tokens: int
    temperature: float

    @property
    def releases(self) -> tuple[str, ...]:
        """Every release that has to be warm, the champion first."""
        return tuple(dict.fromkeys(r for r in (self.champion, self.candidate, self.previous) if r))


@dataclass(frozen=True)
class Routes:
    revision: int = 0
    models: dict[str, Route] = field(default_factory=dict[str, Route])

    @property
    def releases(self) -> dict[str, str]:
        """Base hash by release id: champions before candidates before those that are only kept warm."""
        wanted = [(position, release, route.base_hash) for route in self.models.values()
                  for position, release in enumerate(route.releases)]  # fmt: skip
        return {release: base for _, release, base in sorted(wanted)}


class RoutesFile:
    """Reads the file again when it was replaced, which costs one `stat` a look. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._routes = Routes()

    def current(self) -> Routes:
        """The newest routes; none before the first deployment. A file that can't be read keeps the ones before."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return self._routes
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        with self._lock:
            if stamp != self._stamp:
                try:
                    self._routes = _parse(self._path.read_text(encoding="utf-8"))
                except (OSError, ValueError, KeyError, TypeError) as error:
                    log.error("routes.json can't be read, the routes of before stay: %s", error)
                self._stamp = stamp
            return self._routes


def _parse(text: str) -> Routes:
    value = json.loads(text)
    models = {
        name: Route(
            model=name,
            base_hash=route["base_hash"],
            champion=route["champion"],
            previous=route["previous"],
            candidate=route["candidate"],
            candidate_share=float(route["candidate_share"]),
            max_new_tokens=int(route["generation"]["max_new_tokens"]),
            temperature=float(route["generation"]["temperature"]),
        )
        for name, route in value["models"].items()
    }
    return Routes(int(value["revision"]), models)
