"""The whole cycle on public data with the real base, by command line alone.

A few rows prove that it runs; `PUBLIC_ROWS=200 pytest -s -k public` learns with as many and prints the scores.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from real_data import intent_tasks

pytestmark = pytest.mark.usefixtures("process")

ROWS = int(os.environ.get("PUBLIC_ROWS", "24"))
FEW = ROWS < 100
POLICY = {  # a few examples prove little: the margin is wide then, so that the cycle goes on
    "training": {"epochs": 2} if FEW else {"epochs": 3, "learning_rate": 1e-3, "batch_size": 5},
    "gate": {"margin": 0.9, "confidence": 0.5} if FEW else {"margin": 0.05},
    "rollout": {"kind": "blue-green"},
    "generation": {"max_new_tokens": 16},
}


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_three_public_tasks_by_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = intent_tasks(train=ROWS, held_out=ROWS // 4 if FEW else 100)
    monkeypatch.setenv("CLM_HOME", str(tmp_path / "home"))
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump(POLICY))

    def clm(*arguments: str) -> str:
        done = subprocess.run([sys.executable, "-m", "clm.cli", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, f"clm {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    clm("model", "create", "public", "--policy", str(policy))
    for name, (train, held_out) in tasks.items():
        suite = write_rows(tmp_path / f"{name}-suite.jsonl", held_out)
        clm("task", "add", name, "--suite", str(suite))
        report = json.loads(clm("ingest", str(write_rows(tmp_path / f"{name}.jsonl", train)), "-t", name, "-o", "json"))
        assert report["received"] == ROWS
        print(clm("update", "start", name, "--wait"))

    print(clm("release", "show", "v4"))
    releases = json.loads(clm("release", "list", "-o", "json"))
    assert [r["number"] for r in releases] == ["v4", "v3", "v2", "v1"]
    assert releases[0]["alias"] == "champion"
    assert releases[0]["tasks"] == "assistant, banking, shop"
    assert "verifies" in clm("release", "verify", "v4")
    assert "whole" in clm("audit", "verify")
    clm("rollback")
    assert json.loads(clm("release", "list", "-o", "json"))[1]["alias"] == "champion"
