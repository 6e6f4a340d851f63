"""The MLflow mirror against a real MLflow database."""

import time
from pathlib import Path

import pytest

from clm.records import Composition, Json, Release
from clm.registry import tracker
from clm.settings import Settings

pytestmark = pytest.mark.slow  # MLflow takes seconds to import and to set its database up


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    assert tracker.prepare(settings) is None
    return settings


def release(digit: str, model: str = "support") -> Release:
    manifest: Json = {
        "base": {"reference": "smollm2-135m-instruct", "hash": "b" * 64},
        "experts": {"intent": {"hash": digit * 64}},
        "router": {"hash": "e" * 64},
        "generation": {"max_new_tokens": 64},
        "lineage": {
            "task": "intent",
            "policy": {"training": {f"option_{n}": n for n in range(120)}},
            "scores": {"intent": {"score": 0.75}, "facts": {"score": 0.5}},
        },
    }
    composition = Composition("b" * 64, {"intent": digit * 64}, "e" * 64)
    return Release(digit * 64, model, int(digit, 16), f"/releases/{digit * 64}", composition, None, manifest)


def test_a_release_becomes_one_run_and_one_version(settings: Settings) -> None:
    first = tracker.mirror_release(settings, release("1"), {"seconds": 12.5, "loss": float("nan")})
    again = tracker.mirror_release(settings, release("1"), {"seconds": 12.5})
    assert first == again == tracker.Mirrored("1", None)
    client = tracker._client(settings)  # pyright: ignore[reportPrivateUsage]
    experiment = client.get_experiment_by_name("clm/support")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"score/intent": 0.75, "score/facts": 0.5, "seconds": 12.5}
    assert run.data.params["expert.intent"] == "1" * 64
    assert len([name for name in run.data.params if name.startswith("policy.training.")]) == 120
    version = client.get_model_version("support", "1")
    assert version.run_id == run.info.run_id
    assert version.source == f"file:///releases/{'1' * 64}"
    assert version.tags[tracker.RELEASE_TAG] == "1" * 64


def test_a_half_written_release_is_finished(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tracker._client(settings)  # pyright: ignore[reportPrivateUsage]

    def killed(*_: object, **__: object) -> None:
        raise ConnectionError("gone in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(client, "create_model_version", killed)
        broken = tracker.mirror_release(settings, release("2", "halves"))
    assert broken.version is None
    assert "gone in the middle" in (broken.problem or "")
    assert tracker.mirror_release(settings, release("2", "halves")) == tracker.Mirrored("1", None)
    experiment = client.get_experiment_by_name("clm/halves")
    assert experiment is not None
    assert len(client.search_runs([experiment.experiment_id])) == 1


def test_aliases_follow_champion_and_challenger(settings: Settings) -> None:
    for digit in "34":
        tracker.mirror_release(settings, release(digit, "aliased"))
    client = tracker._client(settings)  # pyright: ignore[reportPrivateUsage]

    def aliases() -> dict[str, str]:
        return {alias: str(v) for alias, v in client.get_registered_model("aliased").aliases.items()}

    assert tracker.mirror_aliases(settings, "aliased", champion="3" * 64, challenger="4" * 64) is None
    assert aliases() == {"champion": "1", "challenger": "2"}
    assert tracker.mirror_aliases(settings, "aliased", champion="4" * 64, challenger=None) is None
    assert tracker.mirror_aliases(settings, "aliased", champion="4" * 64, challenger=None) is None
    assert aliases() == {"champion": "2"}
    problem = tracker.mirror_aliases(settings, "aliased", champion="5" * 64, challenger=None)
    assert problem is not None
    assert "no model version" in problem


def test_a_tracker_that_is_away_costs_a_sentence_only(tmp_path: Path) -> None:
    away = Settings(home=tmp_path, mlflow_uri="http://127.0.0.1:9")
    start = time.monotonic()
    mirrored = tracker.mirror_release(away, release("1"))
    problem = tracker.mirror_aliases(away, "support", champion=None, challenger=None)
    assert time.monotonic() - start < 30
    assert mirrored.version is None
    assert "go on without it" in (mirrored.problem or "")
    assert "go on without it" in (problem or "")


def test_nothing_is_written_outside_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    assert tracker.mirror_release(Settings(home=home), release("1")).problem is None
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
