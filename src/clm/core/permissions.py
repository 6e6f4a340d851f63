"""Who may what. Every endpoint of API, gateway and engine names what it asks of its caller; a test walks them all.

There are no accounts yet: every service listens on this machine's loopback address only, and who reaches that is its
operator, who may do all. Roles only have to change `may`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Depends
from fastapi.routing import APIRoute

from clm.core.caller import Caller
from clm.core.http import CallerDep
from clm.errors import Forbidden


@dataclass(frozen=True)
class Permission:
    name: str  # "room:deed"
    meaning: str  # for people: what who has it can do


PUBLIC = Permission("public", "Ask whether a service is alive, and open the dashboard's files")


def may(caller: Caller, permission: Permission) -> bool:  # noqa: ARG001 - see above
    return True


def requires(permission: Permission) -> Any:
    """For `dependencies=[…]` of an endpoint. Raises Forbidden, with the permission's name, for who may not."""

    async def check(caller: CallerDep) -> None:
        if not may(caller, permission):
            raise Forbidden(f"This needs the permission {permission.name!r}: {permission.meaning}.")

    return Depends(_naming(check, permission))


def permissions_of(route: APIRoute) -> list[Permission]:
    """What an endpoint asks of its caller."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    return [call.permission for call in calls if hasattr(call, "permission")]  # type: ignore[union-attr]


def _naming(check: Callable[..., Any], permission: Permission) -> Callable[..., Any]:
    check.permission = permission  # type: ignore[attr-defined]
    return check
