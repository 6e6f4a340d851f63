"""Who causes a change: goes into every audit entry."""

import getpass
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    actor: str  # "cli:<user>" | "api" | "worker" | "gateway"
    request_id: str | None = None
    reason: str | None = None


WORKER = Caller("worker")


def command_line() -> Caller:
    try:
        return Caller(f"cli:{getpass.getuser()}")
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return Caller("cli")
