"""A service answers this machine's people, and no page of another site that their browser shows."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from clm.core import http
from clm.core.database import Database
from clm.settings import Settings

FOREIGN = ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1@evil.example", "http://["]


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    app = FastAPI()
    http.install(app, Settings(home=tmp_path), Database("sqlite://"))

    @app.api_route("/thing", methods=["GET", "POST", "DELETE"])
    def thing() -> str:
        return "done"

    return TestClient(app)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.7", ""])
def test_no_other_host_name_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/thing", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8400", "[::1]"])
def test_this_machine_s_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/thing", headers={"Host": host}).json() == "done"


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_foreign_page_changes_nothing(client: TestClient, method: str, origin: str) -> None:
    answer = client.request(method, "/thing", headers={"Origin": origin})
    assert (answer.status_code, answer.json()["title"]) == (403, "Foreign origin")


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8400", "http://localhost:5173", "http://[::1]:8400"])
def test_the_dashboard_s_own_requests_are_taken(client: TestClient, origin: str) -> None:
    assert client.post("/thing", headers={"Origin": origin}).json() == "done"
