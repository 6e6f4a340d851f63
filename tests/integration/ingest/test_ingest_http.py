import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from ingest_room import Room

from clm.app import create_app
from clm.core import http
from clm.ingest.endpoints import router
from clm.installation import Installation

ROWS = b'{"text": "a"}\n{"text": "b"}\nbad\n'
TARGET = {"model": "m", "task": "intent"}


def client_of(room: Room) -> TestClient:
    app = FastAPI()
    http.install(app, room.settings, room.database)
    app.state.store = room.store
    app.include_router(router)
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client(room: Room) -> TestClient:
    return client_of(room)


def post(client: TestClient, body: Any = ROWS, kind: str = "application/jsonl", key: str | None = None, **query: Any):
    headers = {"Content-Type": kind} | ({"Idempotency-Key": key} if key else {})
    return client.post("/api/v1/records", params=TARGET | query, content=body, headers=headers)


def test_rows_go_in_and_the_report_comes_back(client: TestClient) -> None:
    answer = post(client)
    assert answer.status_code == 200
    report = answer.json()
    told = {k: report[k] for k in ("received", "accepted", "duplicate", "refused", "dataset_version", "into_suite")}
    assert told == {"received": 3, "accepted": 2, "duplicate": 0, "refused": 1, "dataset_version": 1, "into_suite": 0}
    assert report["refusals"][0] | {"reason": ""} == {"line": 3, "field": None, "reason": "", "sample": "bad"}
    assert post(client, b"prompt,completion\na,b", "text/csv").json()["accepted"] == 1
    assert post(client, b"text\nx", "application/octet-stream", format="csv").json()["accepted"] == 1
    assert post(client, b'{"text": "held"}', suite=True).json()["suite"] is True


def test_the_same_key_is_one_delivery(client: TestClient) -> None:
    first = post(client, key="k")
    assert post(client, key="k").json() == first.json()
    assert post(client, b'{"text": "c"}', key="k").status_code == 409
    assert len(client.get("/api/v1/batches").json()["items"]) == 1


def test_a_form_with_one_file_is_taken(client: TestClient, room: Room) -> None:
    send: Callable[..., Any] = lambda **parts: client.post("/api/v1/records", params=TARGET, **parts)  # noqa: E731
    big = b"".join(json.dumps({"text": f"{i} " + "x" * 2000}).encode() + b"\n" for i in range(1000))
    assert send(files={"file": ("rows.jsonl", big)}).json()["accepted"] == 1000
    assert send(files={"f": ("rows", b"text\nhello", "text/csv")}, data={"note": "x"}).json()["accepted"] == 1
    none, two = send(files={"x": (None, b"x")}), send(files=[("a", ("a", b"1")), ("b", ("b", b"2"))])
    assert (none.status_code, two.status_code) == (422, 422)
    assert "there are 2" in two.json()["detail"]
    for kind in ("multipart/form-data", "multipart/form-data; boundary=b"):
        assert post(client, b"rubbish", kind).status_code == 422
    assert send(files={"x": ("big", b"1")}, data={"note": "x" * 100_000}).status_code == 422
    assert room.spooled() == []


def test_what_is_too_large_is_refused_with_413(make_room: Callable[..., Room], tmp_path: Path) -> None:
    room = make_room(tmp_path / "small", max_upload_bytes=3000)
    client = client_of(room)

    def unannounced() -> Iterator[bytes]:
        yield from [b"x" * 1000] * 5

    for body in (b"x" * 5000, unannounced()):
        answer = post(client, body)
        assert (answer.status_code, answer.json()["title"]) == (413, "Too large")
    assert post(client).status_code == 200
    assert room.spooled() == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "query"),
    [
        (404, ROWS, "application/jsonl", {"task": "unknown"}),
        (404, ROWS, "application/jsonl", {"model": "../m"}),
        (404, ROWS, "application/jsonl", {"format": "xml"}),
        (422, b"", "application/jsonl", {}),
        (422, b"rows", "text/plain", {}),
        (422, b"PAR1", "text/csv", {}),
        (422, b"\x1f\x8b", "application/jsonl", {}),
        (422, ROWS, "application/jsonl", {"source": ""}),
        (200, b"PAR1", "application/vnd.apache.parquet", {}),
        (200, b"\xff\xfe\x00", "application/jsonl", {}),
    ],
)
def test_bad_requests_get_a_sentence_and_the_service_lives(
    client: TestClient, room: Room, status: int, body: bytes, kind: str, query: dict[str, str]
) -> None:
    answer = post(client, body, kind, **query)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]
    assert room.spooled() == []
    assert post(client).status_code == 200


def test_batches_and_refusals_are_paged(client: TestClient) -> None:
    ids = [post(client, f'{{"text": "{i}"}}\nbad\nworse\n').json()["batch_id"] for i in range(3)]
    first = client.get("/api/v1/batches", params=TARGET | {"limit": 2}).json()
    rest = client.get("/api/v1/batches", params=TARGET | {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [batch["id"] for batch in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert client.get("/api/v1/batches", params={"task": "other"}).json()["items"] == []
    assert client.get(f"/api/v1/batches/{ids[0]}").json()["state"] == "committed"
    url = f"/api/v1/batches/{ids[0]}/refusals"
    page = client.get(url, params={"limit": 1}).json()
    last = client.get(url, params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert [row["sample"] for row in page["items"] + last["items"]] == ["bad", "worse"]
    assert last["next_cursor"] is None
    assert client.get(url, params={"cursor": "²"}).status_code == 422
    assert client.get("/api/v1/batches/bat_none/refusals").status_code == 404
    assert client.get("/api/v1/batches/bat_none").status_code == 404


def test_folders_are_added_and_listed(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    body = TARGET | {"settings": {"path": str(tmp_path / "in")}}
    added = client.post("/api/v1/sources", json=body)
    assert added.status_code == 201
    assert client.post("/api/v1/sources", json=body).json() == added.json()
    assert client.post("/api/v1/sources", json=body | {"task": "split"}).status_code == 409
    assert client.post("/api/v1/sources", json=body | {"settings": {"path": str(tmp_path / "no")}}).status_code == 422
    assert client.post("/api/v1/sources", json=body | {"task": "no"}).status_code == 404
    assert client.post("/api/v1/sources", json=body | {"id": "src_mine"}).status_code == 422
    unknown = client.post("/api/v1/sources", json=body | {"kind": "fax"})
    assert unknown.status_code == 404 and "folder" in unknown.json()["detail"]
    for settings, field in (({}, "settings.path"), ({"path": str(tmp_path), "every": 1}, "settings.every")):
        refused = client.post("/api/v1/sources", json=body | {"settings": settings}).json()
        assert refused["field"] == field
    assert client.get("/api/v1/sources").json()["items"] == [added.json()]


def test_the_api_takes_rows(room: Room) -> None:
    client = TestClient(create_app(Installation(room.settings, room.database)))
    assert post(client).json()["accepted"] == 2
    assert room.store.counts("m") == {"intent": 2}
