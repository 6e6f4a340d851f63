"""Which processes `clm up` runs, and how each of them is told our settings."""

import http.client
import socket
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

from clm.errors import Conflict
from clm.settings import Settings


@dataclass(frozen=True)
class Service:
    """One process of the tree. A service without a port is ready when it runs."""

    name: str  # also the name of its log
    module: str  # run as `python -m module`
    setting: str | None = None  # the setting that holds its port
    health: str = "/healthz"  # answers 200 when it is ready
    stops_last: bool = False  # the others' requests in flight still need it


SERVICES: tuple[Service, ...] = (
    Service("engine", "clm.serving.engine", "engine_port", stops_last=True),
    Service("gateway", "clm.processes.gateway", "gateway_port"),
    Service("worker", "clm.worker"),
    Service("api", "clm.app", "api_port"),
)


def hold_free_ports(settings: Settings, services: tuple[Service, ...]) -> tuple[Settings, list[socket.socket]]:
    """The settings with every port 0 replaced by a free one, so that all processes agree on it, and what holds them.

    As long as its socket is open, no other program is given the port. It is bound and doesn't listen: the service can
    bind it as well (both with SO_REUSEADDR), also when it is started again, and is missed at once while it is down.
    """
    held: dict[str, socket.socket] = {}
    for service in services:
        if service.setting and port_of(settings, service) == 0:
            held[service.setting] = _bound(settings.host, 0)
    free = {setting: holder.getsockname()[1] for setting, holder in held.items()}
    if sys.platform != "linux":  # elsewhere one socket has an address at a time: let go, and hope
        for holder in held.values():
            holder.close()
    return settings.model_copy(update=free), list(held.values())


def port_of(settings: Settings, service: Service) -> int | None:
    return getattr(settings, service.setting) if service.setting else None


def environment(settings: Settings) -> dict[str, str]:
    """The settings as `CLM_*` variables, so that a child reads the same whatever its parent was told on the way."""
    values = settings.model_dump(mode="json", exclude_none=True)
    return {f"CLM_{name.upper()}": str(value) for name, value in values.items()}


def check_port(settings: Settings, service: Service) -> None:
    """Raises Conflict if another program listens on the service's port."""
    port = port_of(settings, service)
    if port is None or not is_port_taken(settings.host, port):
        return
    raise Conflict(
        f"Port {port} of {settings.host}, which the {service.name} needs, is used by another program. "
        f"Stop that one, or choose another port: CLM_{str(service.setting).upper()}={port + 1000} clm up.",
        port=port,
        service=service.name,
    )


def is_port_taken(host: str, port: int) -> bool:
    try:
        _bound(host, port).close()
    except OSError:
        return True
    return False


def is_healthy(settings: Settings, service: Service, timeout: float = 5.0) -> bool:
    """True if the service answers its health path with 200 within `timeout` seconds."""
    port = port_of(settings, service)
    if port is None:
        return True
    connection = http.client.HTTPConnection(settings.host, port, timeout=timeout)
    try:
        connection.request("GET", urlsplit(service.health).path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _bound(host: str, port: int) -> socket.socket:
    holder = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections of before don't count
    try:
        holder.bind((host, port))
    except OSError:
        holder.close()
        raise
    return holder
