"""Every command asks the API: of the one that runs on its home, or of the same app in its own process."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner, Result

from clm.app import create_app
from clm.audit import repository as audit
from clm.cli import api, context
from clm.cli.api import Api
from clm.cli.main import app
from clm.core.running import HomeLock
from clm.deployment import repository as deployments
from clm.errors import ClmError, Conflict, Unavailable
from clm.ingest import conflicts
from cycle_home import MODEL, Home, colour_rows, town_rows
from experts_home import serve_experts

SHOWS = [
    "model list", "model show", "model policy", "model policy --diff defaults", "model policy --history", "task list",
    "suite show town",
    "data versions", "data dropped", "data dropped --all", "data replay show", "data held list", "data held list --all",
    "data conflicts list --all", "data history PROMPT", "release list", "release show v1", "release compare v1 v2",
    "release verify v2", "lineage v2", "rollout show", "update list", "audit list --limit 3",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, copy_home: Callable[..., Home]) -> Home:
    home = copy_home(tmp_path_factory.mktemp("api") / "home")
    serve_experts(home, {"colour": colour_rows(0, 12), "town": town_rows(0, 12)})
    return home


@pytest.fixture(autouse=True)
def _afresh(home: Home, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Each command opens its home, as a process of its own would."""
    monkeypatch.setenv("CLM_HOME", str(home.settings.home))
    monkeypatch.setattr(api.time, "sleep", lambda _: None)

    def forget() -> None:
        for name in ("settings", "installation", "api"):
            vars(context.here).pop(name, None)

    forget()
    yield
    forget()


@contextmanager
def services(home: Home, port: int) -> Generator[None]:
    """The home as if `clm up` ran on it, with its API at a port."""
    lock = HomeLock(home.settings.paths)
    lock.write_state({"api": {"pid": 1, "port": port, "restarts": 0}})
    try:
        yield
    finally:
        lock.release()


@contextmanager
def running(home: Home) -> Generator[None]:
    server = uvicorn.Server(uvicorn.Config(create_app(home.installation), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        with services(home, server.servers[0].sockets[0].getsockname()[1]):
            yield
    finally:
        server.should_exit = True
        thread.join()


def run(command: str, *more: str) -> Result:
    words = [town_rows(0, 1)[0]["prompt"] if word == "PROMPT" else word for word in command.split()]
    return CliRunner().invoke(app, [*words, *more], env={"COLUMNS": "300", "NO_COLOR": "1"})


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this process answers nothing by itself."""

    def refuse(_: object) -> Any:
        raise AssertionError("the API runs, and was not asked")

    monkeypatch.setattr(context, "_app", refuse)


def test_what_is_shown_is_the_same_with_and_without_an_api(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {command: run(command, "-o", "json") for command in SHOWS if "verify" not in command}
    assert {command: ran.exit_code for command, ran in before.items() if ran.exit_code} == {}
    assert all(json.loads(ran.stdout) is not None for ran in before.values())
    whole = run("audit verify").output, run("release verify v2").output
    alone(monkeypatch)
    with running(home):
        for command, ran in before.items():
            assert run(command, "-o", "json").stdout == ran.stdout, command
        assert (run("audit verify").output, run("release verify v2").output) == whole


def test_what_is_changed_goes_through_the_api_that_runs(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("prompt,completion\nprice of tea,3 euros\nprice of milk,2 euros\n")
    alone(monkeypatch)
    with running(home):
        said = [
            run("task add price --metric number"), run("task edit price --weight 2"),
            run(f"ingest {file} -t price --key prompt"), run("model policy --set training.rank=4 -r smaller"),
            run("update start price --rollout blue-green"), run("suite general --task ability"),
        ]  # fmt: skip
        assert [ran.exception for ran in said if ran.exit_code] == []
        assert "received 2 = accepted 2" in said[2].output and "is queued" in said[4].output
        update = json.loads(run("update list -o json").stdout)[0]
        assert (update["task"], update["rollout"]) == ("price", "blue-green")
        assert "is cancelled" in run(f"update cancel {update['id']}").output
        assert "There is no update" in str(run("update show upd_none").exception)
        assert "has a task named" in str(run("task add price").exception)
    with home.database.read() as session:
        newest = audit.page(session, before=None, limit=20)
    by = {entry.action: entry.actor for entry in newest if entry.actor.startswith("cli")}
    assert {"task.add", "task.edit", "batch.commit", "model.policy", "update.cancel"} <= set(by)
    assert next(entry.reason for entry in newest if entry.action == "model.policy") == "smaller"


def test_a_rollback_is_done_where_the_api_is_dead(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with home.database.read() as session:
        before = deployments.get_deployment(session, MODEL)
    with closing_server(answers=0) as (port, _), services(home, port):
        said = run("rollback")
    assert said.exit_code == 0 and "it is done without it" in said.output
    with home.database.read() as session:
        assert deployments.get_deployment(session, MODEL).champion == before.previous
    with services(home, 1):  # nothing listens there: it was just started, or is being started again
        assert run("rollback --to", before.champion).exit_code == 0
    monkeypatch.undo()


def test_a_contradiction_is_decided(home: Home) -> None:
    for answer in ("Nowhere", "Elsewhere"):
        moment = {"event_time": "2026-01-01T00:00:00Z"}
        home.take("town", [{"prompt": "Where is Atlantis?", "completion": answer, **moment}])
    with home.database.read() as session:
        rows = conflicts.conflicts(session, model=MODEL)
    assert len(rows) == 1
    shown = json.loads(run(f"data conflicts show {rows[0].id} -o json").stdout)
    assert [option["answer"] for option in shown["options"]] == ["Nowhere", "Elsewhere"]
    said = run(f"data resolve {rows[0].batch_id} newest").output
    assert said == f"{rows[0].id}: newest; right: {shown['options'][1]['record_id']}\n"
    assert isinstance(run(f"data resolve {rows[0].id} newest").exception, Conflict)
    assert run(f"data resolve {rows[0].id} this", shown["options"][0]["record_id"]).exit_code == 0


@contextmanager
def closing_server(answers: int) -> Generator[tuple[int, list[str]]]:
    """Breaks connections off without an answer, but for the last `answers` of three."""
    keys: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            keys.append(self.headers["Idempotency-Key"])
            if len(keys) > 3 - answers:
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object, **__: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, keys
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client(home: Home) -> Api:
    def none() -> Any:
        raise AssertionError("the API runs")

    return Api(home.settings, "cli:ada", none)


def test_a_request_that_broke_off_is_sent_again_under_the_same_key(home: Home) -> None:
    with closing_server(answers=1) as (port, keys), services(home, port):
        assert client(home).post("/updates", {}) == {}
    assert len(keys) == 3 and len(set(keys)) == 1 and keys[0]
    with closing_server(answers=0) as (port, keys), services(home, port):
        with pytest.raises(Unavailable, match="its API broke off"):
            client(home).post("/updates", {})
        assert len(keys) == 3


@pytest.mark.parametrize(("status", "kind", "code"), [(409, Conflict, 1), (503, Unavailable, 1), (418, ClmError, 1)])
def test_an_error_keeps_its_words_and_its_exit_code(status: int, kind: type[ClmError], code: int) -> None:
    error = api.error_of(status, "Odd", "It is odd.", {"line": 3, "request_id": "req_1"})
    assert type(error) is kind and error.exit_code == code
    assert (error.title, error.sentence, error.details) == ("Odd", "It is odd.", {"line": 3})
    assert "req_1" in api.error_of(500, "Internal error", "CLM made a mistake.", {"request_id": "req_1"}).sentence
