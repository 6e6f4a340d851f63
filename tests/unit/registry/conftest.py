import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clm.core.database import Database, sqlite_url
from clm.core.hashing import sha256_text
from clm.registry.bundle import BundleSpec
from clm.settings import Paths

MakeSpec = Callable[..., BundleSpec]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database of the newest schema: copying it is faster than migrating again."""
    file = tmp_path_factory.mktemp("migrated") / "clm.db"
    database = Database(sqlite_url(file))
    database.migrate()
    database.close()
    return file


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(tmp_path / "home")
    paths.create()
    return paths


@pytest.fixture
def database(paths: Paths, migrated_file: Path) -> Iterator[Database]:
    shutil.copyfile(migrated_file, paths.database)
    database = Database(sqlite_url(paths.database))
    yield database
    database.close()


@pytest.fixture
def make_spec(tmp_path: Path) -> MakeSpec:
    """Lays parts out as trainer and importer do (the registry never looks into weights) and names them in a spec."""

    def make(tasks: tuple[str, ...] = ("intent", "facts"), where: str = "artifacts", **changes: Any) -> BundleSpec:
        root = tmp_path / where
        base = root / "bases" / "b0"
        base.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            (base / name).write_text(f"{name} of the base")
        for task in tasks:
            expert = root / "experts" / task
            expert.mkdir(parents=True, exist_ok=True)
            (expert / "adapter_config.json").write_text('{"r": 16}')
            (expert / "adapter_model.safetensors").write_bytes(task.encode() * 100)
            (root / f"{task}.features").write_bytes(b"features of " + task.encode())
        router = root / "routers" / "-".join(tasks)
        router.mkdir(parents=True, exist_ok=True)
        (router / "router.json").write_text(str(tasks))
        spec: dict[str, Any] = {
            "model": "support",
            "base_reference": "smollm2-135m-instruct",
            "base_hash": sha256_text("base"),
            "base_path": base,
            "experts": {task: root / "experts" / task for task in tasks},
            "features": {task: root / f"{task}.features" for task in tasks},
            "router": router if tasks else None,
            "generation": {"max_new_tokens": 64, "temperature": 0.0},
            "lineage": {
                "task": tasks[0] if tasks else None,
                "snapshot": {"tables": {"records": len(tasks)}, "counts": dict.fromkeys(tasks, 10)},
                "policy": {"training": {"epochs": 3, "seed": 17}},
                "scores": {t: {"score": 0.75, "n": 80, "metric": "exact_match", "suite_hash": "s"} for t in tasks},
                "gate": {"verdict": "pass", "reason": "all tasks hold"},
            },
            "expert_lineage": {task: {"record_ids": [f"rec_{task}_{n}" for n in range(3)]} for task in tasks},
        }
        return BundleSpec(**{**spec, **changes})

    return make
