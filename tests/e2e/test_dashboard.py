"""The dashboard's three pages in a real Chromium, against the real API.

`CLM_SCREENSHOTS=FOLDER pytest tests/e2e/test_dashboard.py` also keeps a picture of every page that is looked at.
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
from dashboard_seed import MODEL, seed
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from clm.app import DASHBOARD, create_app
from clm.core.caller import Caller
from clm.core.database import Database
from clm.core.events import publish
from clm.core.files import read_json
from clm.orchestration.service import create_update
from clm.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
THEMES = ("light", "dark")
SIZE: Any = {"width": 1280, "height": 720}
WAIT_MS = 15_000


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


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
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


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    return prepare(tmp_path_factory.mktemp("busy"), filled=True)


@pytest.fixture(scope="module")
def bare_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    return prepare(tmp_path_factory.mktemp("bare"), filled=False)


def serve(prepared: tuple[Path, dict[str, str]], home: Path) -> Generator[Installation]:
    template, updates = prepared
    shutil.copytree(template, home)
    settings = Settings(home=home)
    database = Database(settings.database)
    config = uvicorn.Config(
        create_app(settings, database), log_level="warning", lifespan="off", timeout_graceful_shutdown=1
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


@pytest.fixture
def busy(busy_home: tuple[Path, dict[str, str]], tmp_path: Path) -> Generator[Installation]:
    yield from serve(busy_home, tmp_path / "home")


@pytest.fixture
def bare(bare_home: tuple[Path, dict[str, str]], tmp_path: Path) -> Generator[Installation]:
    yield from serve(bare_home, tmp_path / "home")


@pytest.fixture
def seen(browser: Browser) -> Generator[Seen]:
    yield Seen([], [])
    for context in browser.contexts:  # before the API ends: their event streams would keep it waiting
        context.close()


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


def assert_fine(page: Page, seen: Seen) -> None:
    """Accessible in this theme, no sideways scrolling, no complaint, nothing fetched from elsewhere."""
    if folder := os.environ.get("CLM_SCREENSHOTS"):
        test = os.environ["PYTEST_CURRENT_TEST"].split("::")[1].split(" ")[0]
        name = re.sub(r"[^a-z0-9]+", "-", test).strip("-")
        taken = len(list(Path(folder).glob(f"{name}-*.png")))
        page.screenshot(path=Path(folder) / f"{name}-{taken + 1}.png")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("async () => (await axe.run()).violations.map(v => [v.id, v.nodes.map(n => n.html)])")
    assert violations == []
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZE["width"]
    assert seen == Seen([], [])


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


@pytest.mark.parametrize("theme", THEMES)
def test_home_tells_how_things_stand(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, busy.url, seen, theme)
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Serving {MODEL} v3, 10 % canary v4")
    expect(page.get_by_role("img", name="Traffic: champion v3 90 %, candidate v4 10 %")).to_be_visible()
    ledger = region(page, "Ledger: every task under every release").get_by_role("table")
    expect(ledger.get_by_role("row").nth(1)).to_contain_text("0.41 !")
    expect(ledger.get_by_role("columnheader")).to_have_text(
        ["Task", "v1", "v2", "champion v3", "rejected trial", "candidate v4"], use_inner_text=True
    )
    running = region(page, "Running update")
    expect(running).to_contain_text("facts")
    expect(region(page, "Needs attention").get_by_role("link").first).to_contain_text("intent was rejected")
    expect(region(page, "Last events").get_by_role("listitem")).to_have_count(10)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert_fine(page, seen)


def test_home_follows_what_happens(browser: Browser, busy: Installation, seen: Seen) -> None:
    page = open_page(browser, busy.url, seen)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with busy.database.transaction() as session:
        create_update(session, Caller("cli:ada"), model=MODEL, task="intent", reason="a sudden wish")
        publish(session, "model", MODEL)
    expect(region(page, "Last events").get_by_role("listitem").first).to_contain_text("Update asked for")
    expect(region(page, "Last events").get_by_role("listitem").first).to_contain_text("cli:ada")


@pytest.mark.parametrize("theme", THEMES)
def test_updates_list_and_detail(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, f"{busy.url}/updates", seen, theme)
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(6)  # with its head
    expect(rows.nth(1)).to_contain_text("started by hand")
    assert_fine(page, seen)

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Update of details")
    expect(page.get_by_role("list", name="Stages of this update").get_by_role("listitem")).to_have_count(7)
    expect(page.get_by_role("progressbar", name="train progress")).to_have_attribute("aria-valuenow", "40")
    expect(region(page, "Log")).to_contain_text("step 12 of 60")
    assert_fine(page, seen)


@pytest.mark.parametrize("theme", THEMES)
def test_a_rejected_update_says_why(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, f"{busy.url}/updates/{busy.updates['rejected']}", seen, theme)
    gate = region(page, "Gate")
    expect(gate.get_by_role("row").nth(1)).to_contain_text("0.41 against 0.92 on 80 examples")
    expect(gate.get_by_role("row").nth(1)).to_contain_text("Fail")
    expect(page.get_by_text("Rejected", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel update")).to_have_count(0)
    assert_fine(page, seen)


def test_an_update_is_started_and_cancelled(browser: Browser, busy: Installation, seen: Seen) -> None:
    page = open_page(browser, f"{busy.url}/updates", seen)
    page.get_by_role("button", name="Start update").click()
    page.get_by_role("radio", name="facts").check()
    page.get_by_role("button", name="Start update of facts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Update of facts")
    expect(page.get_by_text("Queued")).to_be_visible()
    page.get_by_role("button", name="Cancel update").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel update").click()
    expect(page.get_by_text("Cancelled", exact=True).or_(page.get_by_text("Cancelling", exact=True))).to_be_visible()
    assert_fine(page, seen)


def test_new_updates_wait_behind_a_pill(browser: Browser, busy: Installation, seen: Seen) -> None:
    page = open_page(browser, f"{busy.url}/updates", seen)
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(6)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with busy.database.transaction() as session:
        create_update(session, Caller("worker"), model=MODEL, task="facts")
    page.get_by_role("button", name="1 new").click()
    expect(rows).to_have_count(7)


@pytest.mark.parametrize("theme", THEMES)
def test_one_click_and_a_confirmation_roll_back(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, f"{busy.url}/deployment", seen, theme)
    expect(page.get_by_role("img", name="Traffic: champion v3 90 %, candidate v4 10 %")).to_be_visible()
    steps = page.get_by_role("list", name="Steps of the rollout, in percent of the requests")
    expect(steps.get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_text("7 of at least 20 requests seen on this step.")).to_be_visible()
    expect(region(page, "Live traffic").get_by_role("row", name="Requests", exact=False).last).to_contain_text("30")
    assert_fine(page, seen)

    place = page.get_by_role("button", name="Roll back", exact=True).bounding_box()
    page.get_by_role("button", name="Roll back", exact=True).click()
    dialog = page.get_by_role("dialog", name="Roll v4 back?")
    confirm = dialog.get_by_role("button", name="Roll back to v3")
    expect(confirm).to_be_focused()
    assert_fine(page, seen)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Rolled back: v3 answers 100 % of the requests")).to_be_visible()
    expect(page.get_by_role("img", name="Traffic: champion v3 100 %")).to_be_visible()
    assert read_json(busy.settings.paths.routes)["models"][MODEL]["candidate"] is None

    # Again: now from the champion to the release before it. The button stands where it stood.
    expect(dialog).to_have_count(0)
    assert page.get_by_role("button", name="Roll back", exact=True).bounding_box() == place
    page.get_by_role("button", name="Roll back", exact=True).click()
    page.get_by_role("button", name="Roll back to v2").click()
    expect(page.get_by_role("img", name="Traffic: champion v2 100 %")).to_be_visible()
    expect(region(page, "History").get_by_role("row").nth(1)).to_contain_text("v3 → v2")
    assert read_json(busy.settings.paths.routes)["models"][MODEL]["champion"] == "2" * 64
    assert_fine(page, seen)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("path", "says"), [("/", "clm model create"), ("/updates", "No update yet"), ("/deployment", "Nothing is deployed")]
)
def test_empty_pages_say_how_to_begin(
    browser: Browser, bare: Installation, seen: Seen, path: str, says: str, theme: str
) -> None:
    page = open_page(browser, f"{bare.url}{path}", seen, theme)
    expect(page.get_by_text(says).first).to_be_visible()
    assert_fine(page, seen)


def test_a_copied_address_shows_the_same(browser: Browser, busy: Installation, seen: Seen) -> None:
    page = open_page(browser, f"{busy.url}/updates/{busy.updates['succeeded']}?stage=mixture&model={MODEL}", seen)
    expect(page.get_by_text("Replay rows")).to_be_visible()
    filtered = open_page(browser, f"{busy.url}/updates?state=rejected", seen)
    expect(filtered.get_by_role("table").get_by_role("row")).to_have_count(2)
    assert seen == Seen([], [])
