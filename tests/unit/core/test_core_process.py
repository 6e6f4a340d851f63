"""Children die with their parent, end when asked, and are killed when they don't."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from clm.core.process import spawn, stop, tail

pytestmark = pytest.mark.usefixtures("process")

SLEEPER = "import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)\n"
STUBBORN = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(600)\n"
)
ECHO = "import os, sys\nprint('module', __name__, *sys.argv[1:], os.environ['GREETING'])\nsys.exit(5)\n"
PARENT = (
    "import sys, time\nfrom pathlib import Path\nfrom clm.core.process import spawn\n"
    "print(spawn('sleeper', log=Path(sys.argv[1])).pid, flush=True)\ntime.sleep(600)\n"
)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules children can run."""
    folder = tmp_path / "modules"
    folder.mkdir()
    for name, code in (("sleeper", SLEEPER), ("stubborn", STUBBORN), ("echo", ECHO), ("parent", PARENT)):
        (folder / f"{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def wait_until(fact: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("modules")
def test_a_child_gets_its_arguments_environment_and_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "echo.log"
    process = spawn("echo", "one", "two words", log=log, environment={"GREETING": "hello"})
    assert process.wait(20) == 5
    assert tail(log) == "module __main__ one two words hello"


@pytest.mark.usefixtures("modules")
def test_a_file_in_the_current_folder_cannot_take_the_place_of_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "echo.py").write_text("raise SystemExit(9)")
    (tmp_path / "ctypes.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert spawn("echo", log=tmp_path / "log", environment={"GREETING": ""}).wait(20) == 5


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_is_killed_when_its_parent_ends(tmp_path: Path, modules: Path, death: signal.Signals) -> None:
    command = [sys.executable, str(modules / "parent.py"), str(tmp_path / "sleeper.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_until(lambda: "pid" in tail(tmp_path / "sleeper.log"))
        assert is_running(child)
        parent.send_signal(death)
        parent.wait(20)
    wait_until(lambda: not is_running(child))


@pytest.mark.usefixtures("modules")
def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start_and_see_it_run() -> None:
        started.append(spawn("sleeper", log=tmp_path / "log"))
        wait_until(lambda: "pid" in tail(tmp_path / "log"))

    thread = threading.Thread(target=start_and_see_it_run)
    thread.start()
    thread.join()
    time.sleep(0.3)
    assert started[0].poll() is None
    assert stop(started[0]) == -signal.SIGTERM


@pytest.mark.usefixtures("modules")
def test_stop_kills_a_child_that_does_not_listen(tmp_path: Path) -> None:
    process = spawn("stubborn", log=tmp_path / "log")
    wait_until(lambda: tail(tmp_path / "log") == "ready")
    assert stop(process, grace=0.3) == -signal.SIGKILL
    assert stop(process) == -signal.SIGKILL, "stopping twice is not an error"


@pytest.mark.usefixtures("modules")
def test_a_child_has_a_process_group_of_its_own(tmp_path: Path) -> None:
    process = spawn("sleeper", log=tmp_path / "log")
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)
    stop(process)


def test_tail_shows_the_last_lines_and_nothing_for_a_missing_log(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.log") == ""
    log = tmp_path / "log"
    log.write_bytes(b"first\n" * 5000 + b"caf\xc3 broken\nlast\n\n")
    assert tail(log, lines=2) == "caf\ufffd broken\nlast"
