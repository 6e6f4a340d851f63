"""routes.json: who serves what, so that serving needs no database. A target writes it, gateway and engine follow it.

{"revision": 12, "models": {"support": {"base_hash", "champion", "previous", "candidate", "candidate_share",
 "candidate_state": "warming" | "live" | null, "generation": {"max_new_tokens", "temperature"}}}}
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from clm.core.hashing import canonical_json


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
    candidate_state: Literal["warming", "live"] | None = None

    @property
    def releases(self) -> tuple[str, ...]:
        """Every release that has to be warm, the champion first."""
        return tuple(dict.fromkeys(r for r in (self.champion, self.candidate, self.previous) if r))


@dataclass(frozen=True)
class Routes:
    revision: int = 0  # rises with every change of a deployment or a model's policy
    models: dict[str, Route] = field(default_factory=dict[str, Route])

    @property
    def releases(self) -> dict[str, str]:
        """Base hash by release id: champions before candidates before those that are only kept warm."""
        wanted = [(position, release, route.base_hash) for route in self.models.values()
                  for position, release in enumerate(route.releases)]  # fmt: skip
        return {release: base for _, release, base in sorted(wanted)}


def write_routes(routes: Routes) -> str:
    """One text per value."""
    return canonical_json({"revision": routes.revision, "models": {n: _plain(r) for n, r in routes.models.items()}})


def read_routes(text: str) -> Routes:
    """Raises ValueError, KeyError or TypeError for a text that is none."""
    value: dict[str, Any] = json.loads(text)
    return Routes(int(value["revision"]), {name: _route(name, route) for name, route in value["models"].items()})


def _plain(route: Route) -> dict[str, Any]:
    return {
        "base_hash": route.base_hash,
        "champion": route.champion,
        "previous": route.previous,
        "candidate": route.candidate,
        "candidate_share": route.candidate_share,
        "candidate_state": route.candidate_state,
        "generation": {"max_new_tokens": route.max_new_tokens, "temperature": route.temperature},
    }


def _route(name: str, route: dict[str, Any]) -> Route:
    return Route(
        model=name,
        base_hash=route["base_hash"],
        champion=route["champion"],
        previous=route["previous"],
        candidate=route["candidate"],
        candidate_share=float(route["candidate_share"]),
        max_new_tokens=int(route["generation"]["max_new_tokens"]),
        temperature=float(route["generation"]["temperature"]),
        candidate_state=route.get("candidate_state"),
    )
