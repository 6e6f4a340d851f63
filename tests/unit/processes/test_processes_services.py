"""A port that was asked for as 0 is held from when it is known until nobody needs it any more."""

import socket
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from clm.processes.services import SERVICES, hold_free_ports, is_port_taken
from clm.settings import Settings

Held = tuple[Settings, list[socket.socket]]


@pytest.fixture
def held(tmp_path: Path) -> Generator[Held]:
    settings, holders = hold_free_ports(Settings(home=tmp_path, api_port=0, gateway_port=0, engine_port=0), SERVICES)
    yield settings, holders
    for holder in holders:
        holder.close()


def test_every_service_of_the_real_tree_has_a_port_setting_that_exists(held: Held) -> None:
    ports = [service.setting for service in SERVICES if service.setting]
    assert set(ports) <= set(Settings.model_fields)
    settings, holders = held
    assert len({settings.api_port, settings.gateway_port, settings.engine_port} - {0}) == len(holders) == 3


def test_a_port_that_was_chosen_stays_and_needs_no_holder(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, api_port=9080)
    assert hold_free_ports(settings, SERVICES) == (settings, [])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ports are not held")
def test_a_held_port_is_its_services_alone_also_while_that_is_down(held: Held) -> None:
    settings, _ = held
    door = (settings.host, settings.engine_port)
    for _ in range(2):  # started, and started again
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(door, 5)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(door)
        assert not is_port_taken(*door)
        with socket.create_server(door), socket.create_connection(door, 5):
            assert is_port_taken(*door)
