"""Who may import whom. `make check` holds the contracts of pyproject.toml; here it is shown that they bite."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tree import ROOT, files, name

LINT = Path(sys.executable).with_name("lint-imports")
HEAVY = {"torch", "transformers", "peft", "sklearn", "accelerate", "gguf"}
SLOW = HEAVY | {"mlflow", "dbos", "deltalake", "polars", "pyarrow", "model_signing"}
PACKAGE_OF = {  # where a module's package is named otherwise
    "huggingface_hub": "huggingface-hub",
    "mlflow": "mlflow-skinny",
    "multipart": "python-multipart",
    "OpenSSL": "pyopenssl",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def lint(source: Path, config: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(source)}
    command = [str(LINT), "--config", str(config), "--no-cache"]
    return subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("process")
def test_the_import_contracts_bite(tmp_path: Path) -> None:
    """Every contract is broken once, in a copy, and every one must be reported as broken."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "dashboard"))
    breaches = {
        "store/snapshots_of_models.py": "import clm.training\n",
        "core/shortcut.py": "import clm.ingest\n",
        "ingest/shortcut.py": "import deltalake\nimport clm.worker\n",
        "views/shortcut.py": "import mlflow\nimport dbos\n",
        "worker.py": "def train():\n    import torch\n",
        "trigger/policy.py": "from clm.core.clock import now\n",
    }
    for path, code in breaches.items():
        with (tmp_path / "src" / "clm" / path).open("a") as file:
            file.write(code)
    result = lint(tmp_path / "src", ROOT / "pyproject.toml")
    broken = re.findall(r"^.+ BROKEN\b", result.stdout, flags=re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert len(broken) == len(contracts), result.stdout[-3000:]


@pytest.mark.usefixtures("process")
@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("clm.app", HEAVY | {"mlflow"}),
        ("clm.worker", HEAVY | {"mlflow"}),
        ("clm.processes.gateway", HEAVY | {"mlflow", "dbos", "deltalake"}),
        ("clm.cycle", HEAVY | {"sqlalchemy", "dbos"}),
        ("clm.cli.main", SLOW),
        ("clm.processes.supervisor", SLOW),
    ],
)
def test_a_process_of_the_control_plane_starts_without_heavy_libraries(module: str, unwanted: set[str]) -> None:
    code = f"import json, sys, {module}\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert not unwanted & set(json.loads(result.stdout.splitlines()[-1]))


def test_every_package_that_we_import_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    shipped = {normal(need) for need in [*project["dependencies"], *extras["train"], *extras["serve"]]}
    used: dict[str, str] = {}
    for path in files(".py"):
        if name(path).startswith("src/"):
            used |= dict.fromkeys(imported(path), name(path))
    foreign = {package: where for package, where in used.items() if package not in {"clm", *sys.stdlib_module_names}}
    undeclared = {
        package: where for package, where in foreign.items() if normal(PACKAGE_OF.get(package, package)) not in shipped
    }
    assert len(used) > 20
    assert not undeclared, "add these to pyproject.toml, and their versions to constraints.txt"


def test_every_version_is_pinned_once_and_without_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert all(line.count("==") == 1 and " " not in line and "/" not in line for line in lines)
    pinned = [normal(line) for line in lines]
    assert len(pinned) == len(set(pinned))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    assert {normal(need) for need in needs} <= set(pinned), "a package that pyproject.toml names has no pinned version"


def normal(requirement: str) -> str:
    """A requirement's package name, written the one normal way."""
    end = next((at for at, letter in enumerate(requirement) if letter in " <>=!~[;"), len(requirement))
    return requirement[:end].lower().replace("_", "-").replace(".", "-")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


def test_a_module_has_one_name_wherever_it_is_used() -> None:
    """In its own room it is called by its own name; outside, always by the same one."""
    names: dict[str, set[str]] = {}
    for path in files(".py"):
        if not name(path).startswith("src/clm/") or "/migrations/" in name(path):
            continue
        room = name(path).split("/")[2]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("clm."):
                for alias in node.names:
                    module = f"{node.module}.{alias.name}"
                    if module.split(".")[1] != room and (ROOT / "src" / f"{module.replace('.', '/')}.py").exists():
                        names.setdefault(module, set()).add(alias.asname or alias.name)
    assert {module: used for module, used in names.items() if len(used) > 1} == {}
