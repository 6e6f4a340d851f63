"""Every way into API, gateway and engine says what it asks of its caller."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from clm import app as api
from clm.core import permissions
from clm.core.database import Database
from clm.core.permissions import PUBLIC, Permission, permissions_of, requires
from clm.installation import Installation
from clm.processes.gateway import MonitoringArchive
from clm.serving.gateway import app as gateway
from clm.settings import Settings

OPEN = {"/healthz", "/readyz", "/{path:path}"}  # alive, and the dashboard's own files
DESCRIPTION = "/openapi.json"  # what the framework adds by itself: it describes the endpoints, and does nothing


def apps(home: Path) -> dict[str, FastAPI]:
    engine = pytest.importorskip("clm.serving.engine.app", reason="needs torch: pip install clm[serve]")
    settings = Settings(home=home)
    database = Database(settings.database)
    return {
        "api": api.create_app(Installation(settings, database)),
        "gateway": gateway.create_app(settings, database, MonitoringArchive(database)),
        "engine": engine.create_app(settings, database),
    }


def routed(routes: Iterable[Any]) -> Iterator[Any]:
    """Also what lies in included routers, which the framework resolves when it is asked."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from routed(included.routes)


def without_permission(app: FastAPI) -> list[str]:
    """Everything that is routed, mounts and streams included, and asks nothing, or asks for nothing in particular."""
    found: list[str] = []
    for route in routed(app.routes):
        path = getattr(route, "path", repr(route))
        if path == DESCRIPTION:
            continue
        asked = permissions_of(route) if isinstance(route, APIRoute) else []
        if len(asked) != 1 or (asked == [PUBLIC]) != (path in OPEN):
            found.append(path)
    return found


def test_every_route_of_every_service_names_one_permission(tmp_path: Path) -> None:
    for name, app in apps(tmp_path).items():
        assert len([route for route in routed(app.routes) if isinstance(route, APIRoute)]) > 3
        assert without_permission(app) == [], f"{name}: add `dependencies=` with a permission of the room's auth.py"


def test_a_route_a_mount_and_a_stream_without_one_are_found(tmp_path: Path) -> None:
    app = apps(tmp_path)["api"]
    app.add_api_route("/api/v1/new", lambda: None)
    app.mount("/files", FastAPI())
    app.router.add_websocket_route("/socket", lambda _: None)  # pyright: ignore
    app.add_api_route("/api/v1/hidden", lambda: None, dependencies=[requires(PUBLIC)])
    assert without_permission(app) == ["/api/v1/new", "/files", "/socket", "/api/v1/hidden"]


def test_who_may_not_is_told_which_permission_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: object, permission: Permission) -> bool:
        return permission == PUBLIC

    monkeypatch.setattr(permissions, "may", nobody)
    client = TestClient(apps(tmp_path)["api"])
    assert client.get("/healthz").status_code == 200
    refused = client.get("/api/v1/models")
    assert refused.status_code == 403
    assert "models:read" in refused.json()["detail"]


def test_every_list_comes_in_pages(tmp_path: Path) -> None:
    described = apps(tmp_path)["api"].openapi()
    lists: list[str] = []
    for path, ways in described["paths"].items():
        answer = ways.get("get", {}).get("responses", {}).get("200", {}).get("content", {}).get("application/json", {})
        shape = answer.get("schema", {}).get("$ref", "")
        fields = described["components"]["schemas"].get(shape.rpartition("/")[2], {}).get("properties", {})
        if "items" in fields and path != "/api/v1/settings":  # as many as there are names
            lists.append(path)
            asked = {parameter["name"] for parameter in ways["get"].get("parameters", [])}
            assert {"cursor", "limit"} <= asked and "next_cursor" in fields, path
    assert len(lists) > 12
