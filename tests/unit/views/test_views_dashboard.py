"""The dashboard's address gives out the dashboard's files and nothing beside them."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from clm import app
from clm.core.database import Database
from clm.installation import Installation
from clm.settings import Settings

PAGE, STYLE, SECRET = "<p>CLM</p>", "p {}", "the installation's key"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    built = tmp_path / "dashboard"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text(PAGE)
    (built / "assets" / "a-1.css").write_text(STYLE)
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "dashboard-old").mkdir()
    (tmp_path / "dashboard-old" / "secret").write_text(SECRET)
    (built / "link").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(app, "DASHBOARD", built)
    settings = Settings(home=tmp_path / "home")
    settings.paths.create()
    database = Database(settings.database)
    with TestClient(app.create_app(Installation(settings, database))) as client:
        yield client
    database.close()


def test_built_files_are_served_and_every_other_page_is_the_dashboards(client: TestClient) -> None:
    style = client.get("/assets/a-1.css")
    assert (style.text, "immutable" in style.headers["Cache-Control"]) == (STYLE, True)
    page = client.get("/models/support")
    assert (page.text, page.headers["Cache-Control"], page.headers["X-Frame-Options"]) == (PAGE, "no-cache", "DENY")


@pytest.mark.parametrize("before", ["", "assets/", "/", "./"])
@pytest.mark.parametrize("way", ["../secret", "../dashboard-old/secret", "link", "..//secret", "../../secret"])
def test_no_path_leads_out_of_the_dashboards_folder(client: TestClient, tmp_path: Path, before: str, way: str) -> None:
    up = "../" * before.count("assets")
    for path in (f"{before}{up}{way}", str(tmp_path / "secret")):
        for asked in (quote(path, safe=""), quote(quote(path, safe=""), safe="")):
            answer = client.get(f"/{asked}")
            assert (answer.status_code, answer.text) == (200, PAGE)
