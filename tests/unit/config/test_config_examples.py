"""The example files in config/ are the defaults, complete, and accepted as they are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from clm.errors import InvalidInput
from clm.policies import ModelPolicy
from clm.settings import Settings

CONFIG = Path(__file__).parents[3] / "config"


def names(model: BaseModel) -> dict[str, Any]:
    """Every field's name, as a tree."""
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        found[name] = names(value) if isinstance(value, BaseModel) else None
    return found


def names_in(tree: dict[str, Any]) -> dict[str, Any]:
    return {name: names_in(value) if isinstance(value, dict) else None for name, value in tree.items()}


def test_the_example_policy_shows_every_value_at_its_default() -> None:
    tree = yaml.safe_load((CONFIG / "policy.yaml").read_text())
    assert ModelPolicy.model_validate(tree) == ModelPolicy()
    assert names_in(tree) == names(ModelPolicy())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"CLM_{name.upper()}", raising=False)
    return tmp_path


def test_the_example_settings_change_nothing_until_something_is_uncommented(home: Path) -> None:
    before = Settings.load(home=home)
    (home / "config.yaml").write_text((CONFIG / "config.yaml").read_text())
    assert Settings.load(home=home) == before


def test_every_setting_is_in_the_example_at_its_default(home: Path) -> None:
    before = Settings.load(home=home)
    text = re.sub(r"^# (?=[a-z_]+: )", "", (CONFIG / "config.yaml").read_text(), flags=re.MULTILINE)
    assert set(yaml.safe_load(text)) == set(Settings.model_fields) - {"home"}
    (home / "config.yaml").write_text(text)
    assert Settings.load(home=home).model_copy(update={"threads": before.threads}) == before


def test_a_misspelt_setting_is_refused_with_the_nearest_name(home: Path) -> None:
    (home / "config.yaml").write_text("gatewayport: 9081\n")
    with pytest.raises(InvalidInput, match=r"no setting 'gatewayport'. Did you mean 'gateway_port'\?"):
        Settings.load(home=home)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLM_API_PORT", "tcp://10.0.0.1:8080"),  # Kubernetes, for a service called clm-api
        ("CLM_PORT", "tcp://10.0.0.1:8080"),
        ("CLM_API_PORT_8080_TCP_PORT", "8080"),
        ("CLM_API_SERVICE_HOST", "10.0.0.1"),
        ("CLM_API_SERVICE_PORT", "8080"),
        ("CLM_TOKEN", "somebody else's"),
    ],
)
def test_variables_of_others_stop_nothing(home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    before = Settings.load(home=home)
    monkeypatch.setenv(name, value)
    assert Settings.load(home=home) == before


def test_variables_of_ours_count_and_misspelt_ones_are_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLM_API_PORT", "9080")
    assert Settings.load(home=home).api_port == 9080
    monkeypatch.setenv("CLM_API_PROT", "9081")
    with pytest.raises(InvalidInput, match=r"no setting 'api_prot'. Did you mean 'api_port'\?"):
        Settings.load(home=home)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"threads: [", "can't be read"), (b"\xff\xfe\x00", "can't be read"), (b"- a\n- b\n", "one `name: value` a line"),
     (b"just words", "one `name: value` a line"), (b"1: 2", "no setting 1")],
)  # fmt: skip
def test_a_settings_file_that_is_none_is_told_in_a_sentence(home: Path, content: bytes, told: str) -> None:
    (home / "config.yaml").write_bytes(content)
    with pytest.raises(InvalidInput, match=told):
        Settings.load(home=home)


@pytest.mark.parametrize("name", ["a%41b", "what?", "no#1", "a[1]", "a|b", "a\\b", "tab\tb"])
def test_a_home_that_databases_could_not_be_named_by_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidInput, match="Choose another home"):
        Settings.load(home=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_address_with_colons_stands_in_brackets(tmp_path: Path) -> None:
    six = Settings(home=tmp_path, host="::1", api_port=1, gateway_port=2, engine_port=3)
    assert (six.api_url, six.gateway_url, six.engine_url) == ("http://[::1]:1", "http://[::1]:2", "http://[::1]:3")
    assert Settings(home=tmp_path, api_port=1).api_url == "http://127.0.0.1:1"
