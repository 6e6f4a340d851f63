"""`clm up`: one tree per home, started in order, looked after, stopped without a trace. With real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from clm.core.running import read_state
from clm.errors import Conflict, Unavailable
from clm.processes import supervisor as supervising
from clm.processes.services import Service, environment
from clm.processes.supervisor import Supervisor, log_file
from clm.settings import Settings

pytestmark = pytest.mark.usefixtures("ports")

WEB = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(str(os.getpid()).encode())

def leave(number, frame):
    print("leaving in order", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
HTTPServer((os.environ["CLM_HOST"], int(os.environ["CLM_API_PORT"])), Handler).serve_forever()
"""
PLAIN = "import time\nprint('working', flush=True)\ntime.sleep(600)\n"
BROKEN = "import sys\nprint('loading')\nsys.exit('The key file is missing.')\n"
UP = """
import sys
sys.path.insert(0, sys.argv[1])
from test_processes_supervisor import TREE
from clm.processes.supervisor import Supervisor, run_until_stopped
from clm.settings import Settings
supervisor = Supervisor(Settings.load(), TREE)
run_until_stopped(supervisor, lambda: print(supervisor.settings.api_port, flush=True))
print("stopped", flush=True)
"""
TREE = (Service("web", "web_service", "api_port", stops_last=True), Service("plain", "plain_service"))


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    modules = tmp_path / "modules"
    modules.mkdir()
    for name, code in (("web_service", WEB), ("plain_service", PLAIN), ("broken_service", BROKEN), ("up", UP)):
        (modules / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(modules))
    return Settings.load(home=tmp_path / "home", api_port=0, gateway_port=0, engine_port=0)


def wait_until(fact: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def can_bind(port: int) -> bool:
    with socket.socket() as other:
        try:
            other.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answering_process(port: int) -> int | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return int(answer.read())
    except OSError:
        return None


def test_all_services_run_with_our_settings_and_end_in_order(settings: Settings) -> None:
    said: list[str] = []
    with Supervisor(settings, TREE, said.append) as tree:
        web, plain = tree.process_id("web"), tree.process_id("plain")
        assert answering_process(tree.settings.api_port) == web
        assert read_state(settings.paths) is not None
        state = read_state(settings.paths) or {}
        assert state["pid"] == os.getpid()
        assert state["services"]["web"] == {"pid": web, "port": tree.settings.api_port, "restarts": 0}
    assert said == [f"web is ready on http://127.0.0.1:{tree.settings.api_port}", "plain is ready"]
    assert not is_running(web) and not is_running(plain)
    assert "leaving in order" in log_file(settings.paths, "web").read_text()
    assert read_state(settings.paths) is None


def test_a_killed_service_is_started_again(settings: Settings) -> None:
    said: list[str] = []
    with Supervisor(settings, TREE, said.append) as tree:
        first = tree.process_id("web")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: answering_process(tree.settings.api_port) not in (None, first))
        assert tree.process_id("web") != first
        assert (read_state(settings.paths) or {})["services"]["web"]["restarts"] == 1
    assert any("web ended (exit code -9); it starts again in 0.5 s" in sentence for sentence in said)


def test_a_service_that_keeps_crashing_is_started_ever_more_slowly(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "FIRST_BACK_OFF", 0.1)
    said: list[str] = []
    with Supervisor(settings, TREE, said.append) as tree:
        for crash in range(3):
            pid = tree.process_id("plain")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: tree.process_id("plain") != pid)
            assert len([sentence for sentence in said if "starts again" in sentence]) == crash + 1
    delays = [sentence.split(" in ")[1] for sentence in said if "starts again" in sentence]
    assert delays == ["0.1 s.", "0.2 s.", "0.4 s."]


def test_a_service_that_hangs_is_replaced(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "ASK_EVERY", 0.2)
    monkeypatch.setattr(supervising, "UNRESPONSIVE_AFTER", 1.0)
    with Supervisor(settings, TREE) as tree:
        first = tree.process_id("web")
        os.kill(first, signal.SIGSTOP)
        wait_until(lambda: answering_process(tree.settings.api_port) not in (None, first))


def test_a_second_tree_on_the_same_home_is_refused(settings: Settings) -> None:
    with Supervisor(settings, TREE) as tree:
        with pytest.raises(Conflict, match=rf"runs already as process {os.getpid()} on {settings.home}"):
            Supervisor(settings, TREE).start()
        assert answering_process(tree.settings.api_port), "the refused one must not touch the first"
    with Supervisor(settings, TREE):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ports are not held")
def test_a_free_port_is_held_until_the_tree_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "is_healthy", lambda *_, **__: True)  # nobody listens on it: only we have it
    with Supervisor(settings, (Service("deaf", "plain_service", "engine_port"),)) as tree:
        assert not can_bind(tree.settings.engine_port)
    assert can_bind(tree.settings.engine_port)


def test_a_taken_port_is_named_with_the_way_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "PORT_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Conflict, match=rf"Port {port} .* which the web needs.*CLM_API_PORT="):
            Supervisor(settings.model_copy(update={"api_port": port}), TREE).start()
    assert read_state(settings.paths) is None


def test_a_service_that_cannot_start_is_reported_with_its_last_words(settings: Settings) -> None:
    tree = Supervisor(settings, (*TREE, Service("broken", "broken_service")))
    with pytest.raises(Unavailable, match=r"broken ended while it was starting \(exit code 1\)(.|\n)*key file"):
        tree.start()
    assert answering_process(tree.settings.api_port) is None
    assert read_state(settings.paths) is None


def test_a_service_that_never_gets_ready_ends_the_start(settings: Settings) -> None:
    tree = Supervisor(settings, (Service("deaf", "plain_service", "engine_port"),))
    with pytest.raises(Unavailable, match=r"deaf was not ready after 1 seconds. Its log: .*deaf\.log"):
        tree.start(timeout=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_supervisor_gets_a_signal(settings: Settings, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "up", str(Path(__file__).parent)]
    env = {**os.environ, **environment(settings)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        port = int(up.stdout.readline())
        pids = [service["pid"] for service in (read_state(settings.paths) or {})["services"].values()]
        assert answering_process(port) in pids
        up.send_signal(number)
        last_words = up.stdout.read()
        code = up.wait(30)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    assert answering_process(port) is None
    if number != signal.SIGKILL:
        assert (code, last_words) == (0, "stopped\n")
    assert read_state(settings.paths) is None
    with Supervisor(settings.model_copy(update={"api_port": port}), TREE):
        pass  # the same home and port can be used again at once


def test_a_long_log_begins_anew(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "LONGEST_LOG", 100)
    settings.paths.create()
    log_file(settings.paths, "plain").write_text("old line\n" * 50)
    with Supervisor(settings, TREE):
        wait_until(lambda: log_file(settings.paths, "plain").read_text() == "working\n")
    assert (settings.paths.logs / "plain.log.1").read_text().startswith("old line")


def test_children_read_the_settings_that_we_have(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings.model_copy(update={"allow_faults": True, "threads": 3, "max_line_bytes": 2048})
    for name, value in environment(told).items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == told
