"""The dashboard's pages in a real Chromium, against the real API."""

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from dashboard_driver import Installation, Seen, assert_fine, launch, open_page, prepare, region, serve
from dashboard_seed import MODEL
from playwright.sync_api import Browser, expect

from clm.core.caller import WORKER, Caller
from clm.core.events import publish
from clm.core.files import read_json
from clm.updates.service import create_update

pytestmark = pytest.mark.usefixtures("browser")

THEMES = ("light", "dark")
Home = tuple[Path, dict[str, str]]


@pytest.fixture(scope="module")
def browser(ports: None) -> Generator[Browser]:
    yield from launch()


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return prepare(tmp_path_factory.mktemp("busy"), filled=True)


@pytest.fixture(scope="module")
def bare_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return prepare(tmp_path_factory.mktemp("bare"), filled=False)


@pytest.fixture
def busy(busy_home: Home, tmp_path: Path) -> Generator[Installation]:
    yield from serve(busy_home, tmp_path / "home")


@pytest.fixture
def bare(bare_home: Home, tmp_path: Path) -> Generator[Installation]:
    yield from serve(bare_home, tmp_path / "home")


@pytest.fixture
def seen(browser: Browser) -> Generator[Seen]:
    yield Seen([], [])
    for context in browser.contexts:  # before the API ends: their event streams would keep it waiting
        context.close()


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
    expect(page.get_by_text("General ability")).to_be_visible()
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
    repair = region(page, "Repair")
    expect(repair.get_by_role("row").nth(1)).to_contain_text("Step 0.5 from the old expert to the new")
    expect(repair.get_by_role("row").nth(3)).to_contain_text("Not possible")
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
        create_update(session, WORKER, model=MODEL, task="facts")
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
def test_the_ledger_says_when_slices_begin(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, f"{busy.url}/ledger", seen, theme)
    expect(page.get_by_role("heading", level=1)).to_have_text("Ledger")
    expect(region(page, "intent")).to_contain_text("they begin with the next update")  # scored before there were slices
    assert_fine(page, seen)


@pytest.mark.parametrize("theme", THEMES)
def test_releases_are_listed_and_one_is_opened(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, f"{busy.url}/releases", seen, theme)
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("v4")
    expect(rows.nth(1)).to_contain_text("candidate")
    assert_fine(page, seen)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Release v4")
    expect(page.get_by_role("button", name="Verify now")).to_be_visible()
    assert_fine(page, seen)


@pytest.mark.parametrize("theme", THEMES)
def test_the_audit_chain_is_read_and_verified(browser: Browser, busy: Installation, seen: Seen, theme: str) -> None:
    page = open_page(browser, f"{busy.url}/audit?action=update.create", seen, theme)
    entries = page.get_by_role("table").get_by_role("row")
    expect(entries.nth(1)).to_contain_text("update.create")
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("The chain holds")).to_be_visible()
    assert_fine(page, seen)
    page.get_by_label("Action").fill("no.such")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    assert_fine(page, seen)


@pytest.mark.parametrize("theme", THEMES)
def test_rows_are_brought(browser: Browser, busy: Installation, seen: Seen, theme: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "What is the Lumo?", "completion": "a lamp"}\n{"prompt": "no answer"}\n')
    page = open_page(browser, f"{busy.url}/data", seen, theme)
    page.get_by_label("Task").select_option("facts")
    page.locator("input[type=file]").set_input_files(rows)
    page.get_by_role("button", name="Send rows").click()
    expect(page.get_by_role("status").filter(has_text="2 rows received")).to_contain_text("1 refused")
    expect(page.get_by_text("a prompt needs a completion")).to_be_visible()
    deliveries = region(page, "Deliveries").get_by_role("row")
    expect(deliveries.nth(1)).to_contain_text("dashboard")
    assert_fine(page, seen)


def test_a_changed_answer_has_a_history_and_a_contradiction_is_decided(
    browser: Browser, busy: Installation, seen: Seen, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"
    page = open_page(browser, f"{busy.url}/data", seen)
    prompt, received = "What does the Ulme cost?", page.get_by_role("status").filter(has_text="rows received")
    for answers, told in ((("10 euros",), "1 accepted"), (("12 euros",), "1 supersede"), (("14", "15"), "2 wait")):
        rows.write_text("".join(f'{{"prompt": "{prompt}", "completion": "{said}"}}\n' for said in answers))
        page.get_by_label("Task").select_option("facts")
        page.locator("input[type=file]").set_input_files(rows)
        page.get_by_role("button", name="Send rows").click()
        expect(received).to_contain_text(told)
    waiting = page.get_by_role("article", name=prompt)
    waiting.get_by_role("button", name="History").click()
    history = region(page, "History of an answer").get_by_role("row")
    expect(history.filter(has_text="10 euros")).to_contain_text("superseded")
    assert_fine(page, seen)
    waiting.get_by_role("button", name="This one: 15").click()
    expect(page.get_by_text("counts from the next update of facts on")).to_be_visible()
    expect(waiting).to_have_count(0)
    of_15 = history.filter(has_text=re.compile(r"^\s*15"))  # a time may hold a 15 too
    expect(of_15).to_contain_text("holds")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/", "clm model create"),
        ("/data", "No task yet"),
        ("/updates", "No update yet"),
        ("/deployment", "Nothing is deployed"),
        ("/releases", "No model yet"),
        ("/audit", "Nothing has happened yet"),
    ],
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
