"""A model's policy, changed after the model was made: by setting, as a whole, and with every revision kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from clm.audit import repository as audit
from clm.catalog import endpoints, policy, service
from clm.cli import model as model_command
from clm.cli import policy as policy_command
from clm.cli.context import Context
from clm.core import http
from clm.core.caller import Caller
from clm.core.database import Database
from clm.errors import Conflict, InvalidInput, NotFound
from clm.policies import ModelPolicy
from clm.settings import Settings

TEST = Caller("test")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Settings, Database]]:
    settings = Settings.load(home=tmp_path)
    settings.paths.create()
    database = Database(settings.database)
    database.migrate()
    with database.transaction() as session:
        chosen = ModelPolicy.model_validate({"training": {"rank": 4}})
        service.create_model(session, TEST, name="m", base_reference="b", base_hash="0" * 64, policy=chosen)
    yield settings, database
    database.close()


def test_an_edit_changes_what_it_names_and_keeps_both_revisions(home: tuple[Settings, Database]) -> None:
    _, database = home
    with database.transaction() as session:
        model, changed = policy.edit(session, TEST, "m", {"training": {"max_tokens": 1024}}, revision=1)
        assert (model.revision, changed) == (2, [{"setting": "training.max_tokens", "before": 512, "after": 1024}])
    with database.transaction() as session:
        assert policy.edit(session, TEST, "m", {"training": {"max_tokens": 1024}})[1] == []  # no new revision
        now, first = policy.at(session, "m", None), policy.at(session, "m", 1)
        assert (now.training.rank, now.training.max_tokens, first.training.max_tokens) == (4, 1024, 512)
        assert [row.revision for row in policy.revisions(session, "m")] == [1, 2]
        with pytest.raises(NotFound, match="Known: 1, 2"):
            policy.at(session, "m", 7)
        [entry] = audit.page(session, before=None, limit=1)
        assert entry.action == "model.policy"
        assert entry.after == {"revision": 2, "training.max_tokens": 1024}
        with pytest.raises(Conflict, match="revision 1, it is at 2"):
            policy.edit(session, TEST, "m", {"gate": {"margin": 0.1}}, revision=1)
        changed = policy.edit(session, TEST, "m", {"gate": {"margin": 0.1}}, whole=True)[1]
        assert {each["setting"] for each in changed} == {"gate.margin", "training.rank", "training.max_tokens"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"training": {"max_token": 9}}, "Did you mean 'training.max_tokens'"),
        ({"gate": {"rank": 9}}, "Did you mean 'training.rank'"),
        ({"trainings": {"rank": 9}}, "Did you mean 'training'"),
        ({"gate": {"zzzz": 1}}, "Known: gate.margin"),
        ({"training": {"rank": 0}}, "training.rank: Input should be greater than or equal to 1"),
        ({"training": {"rank": float("nan")}}, "training.rank"),
        ({"training": 3}, "training: "),
    ],
)
def test_an_unknown_or_impossible_setting_is_refused_with_the_nearest(values: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        policy.parse(values)
    assert said in refused.value.sentence


def test_every_setting_can_be_assigned_and_read_back() -> None:
    default = ModelPolicy().model_dump(mode="json")
    texts = [
        f"{name}={default[name.split('.')[0]][name.split('.')[1]]}".replace("None", "null") for name in policy.KNOWN
    ]
    texts = [text for text in texts if not text.startswith("training.strategies")]
    assert policy.parse(policy.assignments([*texts, "training.strategies=[experts]"])) == ModelPolicy()
    with pytest.raises(InvalidInput, match="such as training"):
        policy.assignments(["training.rank"])


def test_over_http_with_its_revision(home: tuple[Settings, Database]) -> None:
    settings, database = home
    app = FastAPI()
    http.install(app, settings, database)
    app.include_router(endpoints.router)
    client = TestClient(app)
    path = "/api/v1/models/m/policy"
    shown = client.get(path)
    assert shown.headers["ETag"] == '"1"'
    assert shown.json()["changed"] == [{"setting": "training.rank", "before": 16, "after": 4}]
    tried = client.patch(path, json={"training": {"rank": 8}}, params={"dry_run": True})
    assert tried.json()["revision"] == 2 and client.get(path).json()["revision"] == 1
    assert client.patch(path, json={"training": {"rank": 8}}, headers={"If-Match": '"1"'}).json()["revision"] == 2
    stale = client.put(path, json={}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["revision"]) == (409, 2)
    assert client.put(path, json={}, headers={"If-Match": "x"}).status_code == 422
    assert client.put(path, json={"training": {"rnk": 8}}).json()["field"] == "training.rnk"
    assert client.put(path, json={}, headers={"If-Match": '"2"'}).json()["policy"]["training"]["rank"] == 16
    assert client.get(path, params={"revision": 1}).json()["policy"]["training"]["rank"] == 4
    assert [row["revision"] for row in client.get(f"{path}/revisions").json()["items"]] == [1, 2, 3]


def test_on_the_command_line(home: tuple[Settings, Database], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings, database = home
    monkeypatch.setenv("CLM_HOME", str(settings.home))
    monkeypatch.setattr(policy_command, "here", Context())

    def run(*words: str) -> Result:
        return CliRunner().invoke(model_command.app, ["policy", *words], env={"COLUMNS": "200", "NO_COLOR": "1"})

    assert "rank: 4" in run("m").output
    assert "Would be revision 2" in run("m", "--set", "training.rank=8", "--dry-run").output
    changed = run("--set", "training.rank=8", "--set", "rollout.steps=[5, 25]", "-r", "smaller steps").output
    assert "training.rank" in changed and "[5.0, 25.0]" in changed and "Is revision 2" in changed
    assert "smaller steps" in run("--history").output
    assert "16" in run("--diff", "defaults").output and "4" in run("--diff", "1").output
    file = tmp_path / "policy.yaml"
    file.write_text("gate: {margin: 0.02}\n")
    assert "gate.margin" in run("--file", str(file)).output
    with database.read() as session:
        assert policy.at(session, "m", None) == ModelPolicy.model_validate({"gate": {"margin": 0.02}})
    monkeypatch.setenv("VISUAL", "true")
    assert "stays as it is" in run("--edit").output
    monkeypatch.setenv("VISUAL", "sed -i 's/rank: 16/rank: 32/'")
    assert "32" in run("--edit").output
    assert isinstance(run("--set", "training.rnk=8").exception, InvalidInput)
