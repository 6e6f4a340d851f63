"""Every service binds port 0 by itself and says which one it got."""

import errno
import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from clm.core.database import Database
from clm.core.process import spawn, stop, tail
from clm.processes.services import SERVICES, Service, environment
from clm.settings import Settings
from serving_home import told_port, wait_until

LISTENING = [service for service in SERVICES if service.setting]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path, api_port=0, gateway_port=0, engine_port=0, threads=1)
    settings.paths.create()
    database = Database(settings.database)
    database.migrate()
    database.close()
    return settings


def answers(port: int, service: Service) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{service.health}", timeout=10).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.usefixtures("ports")
@pytest.mark.parametrize("service", LISTENING, ids=lambda service: service.name)
def test_a_service_says_which_port_it_listens_on(settings: Settings, service: Service, tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn(service.module, log=log, environment=environment(settings))
    try:
        port = told_port(log)
        wait_until(lambda: answers(port, service), 60, f"the {service.name} answers on {port}; see {log}")
    finally:
        assert stop(child) in (0, -signal.SIGTERM), tail(log)
    assert not answers(port, service)


@pytest.mark.usefixtures("ports")
def test_a_port_that_is_taken_ends_a_service_with_a_sentence(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        chosen = settings.model_copy(update={"gateway_port": other.getsockname()[1]})
        child = spawn("clm.processes.gateway", log=tmp_path / "log", environment=environment(chosen))
        assert child.wait(60) != 0
    assert os.strerror(errno.EADDRINUSE) in tail(tmp_path / "log")
