"""Drives the dashboard: the real API over a prepared home, headless Chromium in front of it, and what it must keep to.

`SCREENSHOTS=FOLDER pytest tests/e2e/test_dashboard.py` also keeps a picture of every page that is looked at.
"""

import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from dashboard_seed import seed
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from clm.app import DASHBOARD, create_app
from clm.core.database import Database
from clm.installation import Installation as OnHome
from clm.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SIZE: Any = {"width": 1280, "height": 720}
WAIT_MS = 60_000  # for what hangs; a busy machine may take its time


@dataclass
class Installation:
    url: str
    database: Database
    settings: Settings
    updates: dict[str, str]  # ids by how they stand; empty without data


@dataclass
class Seen:
    """What the browser met that it should not have."""

    complaints: list[str]
    foreign: list[str]


def missing(what: str) -> None:
    """Where the tests run by themselves, nothing that they need may be missing; a person is told how to get it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def launch() -> Generator[Browser]:
    """A headless Chromium from PATH."""
    binary = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if binary is None:
        missing("needs Chromium on PATH: make browser")
    if not (DASHBOARD / "index.html").exists() or not AXE.exists():
        missing("the dashboard is not built: make setup")
    with sync_playwright() as playwright:
        # Containers have no user namespaces for Chromium's sandbox; it opens nothing but our own pages here.
        launched = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        yield launched
        launched.close()


def prepare(home: Path, filled: bool) -> tuple[Path, dict[str, str]]:
    """A home to copy from, so that migrations and seeding are done once; with the ids of its updates."""
    settings = Settings(home=home)
    settings.paths.create()
    database = Database(settings.database)
    database.migrate()
    updates = seed(database, settings) if filled else {}
    database.close()
    return home, updates


def serve(prepared: tuple[Path, dict[str, str]], home: Path) -> Generator[Installation]:
    template, updates = prepared
    shutil.copytree(template, home)
    settings = Settings(home=home)
    database = Database(settings.database)
    config = uvicorn.Config(
        create_app(OnHome(settings, database)), log_level="warning", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline, "the API did not start"
        time.sleep(0.02)
    yield Installation(f"http://127.0.0.1:{port}", database, settings, updates)
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
    listening.close()
    database.close()


def open_page(browser: Browser, address: str, seen: Seen, theme: Any = "light") -> Page:
    context = browser.new_context(viewport=SIZE, color_scheme=theme)
    context.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    page = context.new_page()
    origin = "/".join(address.split("/")[:3])

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(message.text)

    def on_request(request: Request) -> None:
        if not request.url.startswith((origin, "data:")):
            seen.foreign.append(request.url)

    page.on("console", on_console)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", on_request)
    page.goto(address)
    return page


def _violations(page: Page) -> list[Any]:
    """What axe objects to. What is still fading in has too little contrast for a moment, so it is looked at again."""
    found: list[Any] = []
    for _ in range(10):
        found = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
        if not found:
            break
        page.wait_for_timeout(300)
    return found


def assert_fine(page: Page, seen: Seen) -> None:
    """Accessible in this theme, no sideways scrolling, no complaint, nothing fetched from elsewhere."""
    if folder := os.environ.get("SCREENSHOTS"):
        test = os.environ["PYTEST_CURRENT_TEST"].split("::")[1].split(" ")[0]
        name = re.sub(r"[^a-z0-9]+", "-", test).strip("-")
        taken = len(list(Path(folder).glob(f"{name}-*.png")))
        page.screenshot(path=Path(folder) / f"{name}-{taken + 1}.png")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = _violations(page)
    assert found == [], found
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZE["width"]
    assert seen == Seen([], [])


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)
