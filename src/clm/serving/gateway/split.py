"""Which release answers a request. Pure: the same routes, name and conversation always give the same choice."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from clm.core.hashing import short
from clm.errors import NotFound, unknown_name
from clm.formats.routes import Route, Routes

Role = Literal["champion", "candidate", "previous"]
SHORTEST_PREFIX = 6  # hex digits of a release id that a client has to give


@dataclass(frozen=True)
class Choice:
    route: Route
    release_id: str
    role: Role
    pinned: bool  # the client named the release: not part of the canary's sample

    @property
    def may_fall_back(self) -> bool:
        """A candidate that fails must not hurt a client who did not ask for it."""
        return self.role == "candidate" and not self.pinned


def choose(routes: Routes, name: str, conversation: str) -> Choice:
    """The release for `model`, `model@champion|candidate|previous` or `model@<beginning of a release id>`.

    Without a selector the candidate gets its share of conversations; a conversation stays on its side as long as the
    share only rises. Raises NotFound with the known names.
    """
    model, _, selector = name.partition("@")
    route = routes.models.get(model)
    if route is None:
        raise unknown_name("model", name, list(routes.models))
    if selector:
        release_id, role = _pinned(route, selector)
        return Choice(route, release_id, role, pinned=True)
    if route.candidate and position(model, route.candidate, conversation) < route.candidate_share:
        return Choice(route, route.candidate, "candidate", pinned=False)
    return champion(route)


def champion(route: Route) -> Choice:
    return Choice(route, route.champion, "champion", pinned=False)


def position(model: str, candidate: str, conversation: str) -> float:
    """Where a conversation lies in [0, 100), evenly spread. Another candidate meets other conversations first."""
    digest = hashlib.sha256(f"{model}\0{candidate}\0{conversation}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100


def _pinned(route: Route, selector: str) -> tuple[str, Role]:
    named: dict[Role, str | None] = {
        "champion": route.champion,
        "candidate": route.candidate,
        "previous": route.previous,
    }
    for role, release_id in named.items():
        if release_id is not None and (selector == role or _begins(release_id, selector)):
            return release_id, role
    known = ", ".join(f"{role} ({short(release)})" for role, release in named.items() if release)
    raise NotFound(f"Model {route.model!r} serves no {selector!r}. Known: {known}.")


def _begins(release_id: str, selector: str) -> bool:
    return len(selector) >= SHORTEST_PREFIX and release_id.startswith(selector)
