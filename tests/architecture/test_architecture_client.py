"""The dashboard's client is generated from the API's description, and neither is older than the code."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tree import ROOT

from clm.app import create_app
from clm.core.database import Database
from clm.installation import Installation
from clm.settings import Settings

API = ROOT / "frontend" / "api"
GENERATOR = ROOT / "frontend" / "node_modules" / ".bin" / "openapi-typescript"
WAY_OUT = "run `make api-client` and commit what changes"


def test_the_description_of_the_api_is_the_apis(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path)
    described = create_app(Installation(settings, Database(settings.database))).openapi()
    committed = json.loads((API / "openapi.json").read_text())
    assert sorted(committed["paths"]) == sorted(described["paths"]), WAY_OUT
    assert committed == json.loads(json.dumps(described)), WAY_OUT


def test_the_clients_types_are_generated_from_that_description(tmp_path: Path) -> None:
    if not GENERATOR.exists():
        if os.environ.get("CI"):
            pytest.fail("The dashboard's packages are not installed; `make setup` does that.")
        pytest.skip("needs the dashboard's packages: make setup")
    made = tmp_path / "schema.ts"
    subprocess.run([GENERATOR, API / "openapi.json", "-o", made], check=True, capture_output=True, timeout=120)
    assert made.read_text() == (API / "schema.ts").read_text(), WAY_OUT
