"""Release bundles: one signed folder per release, named by the digest of its manifest.

releases/<release_id>/
  manifest.json              what it is made of, with the SHA-256 of every other file
  experts/<name>/            PEFT layout; a task's further parts are named task.2, task.3 …
  features/<name>.safetensors    router features, to fit the router again when a task is added
  states/<adapter>.safetensors   what its strategies remember of earlier updates, where they do
  router/  tokenizer/        tokenizer with chat template, from the base
  lineage/<name>.json        what made that expert; carried over while it stays
  model.sig                  signature over all of it

The same inputs give the same release_id: a manifest holds no times, no update ids and no paths of this machine.
"""

import math
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clm.core.files import adopt_folder, read_json, write_bytes
from clm.core.hashing import canonical_json, sha256_file, sha256_text, short
from clm.errors import InvalidInput, TamperedArtifact
from clm.records import Composition, Json, task_of
from clm.registry import signing
from clm.registry.filling import Filling

MANIFEST = "manifest.json"
FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}(\.([2-9]|[1-9][0-9]{1,3}))?")  # a task, or a part of it: a folder's name
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
)  # fmt: skip
_VOLATILE = frozenset(
    {"at", "created_at", "started_at", "finished_at", "seconds", "tokens_per_second", "update_id", "path", "reused"}
)
_UNFINISHED = ".new-"
_ABANDONED_AFTER = 3600.0  # seconds


@dataclass(frozen=True)
class BundleSpec:
    """What goes into a release.

    `lineage` tells how this composition came to be: `task`, `parent` (release id), `snapshot`, `policy`,
    `scores` {task: {"score", "n", "metric", "suite_hash", …}} and `gate` {"verdict", "reason", …}.
    `expert_lineage` tells per expert what made it: record ids, mixture, snapshot, training policy, base.
    """

    model: str
    base_reference: str
    base_hash: str
    base_path: Path
    experts: Mapping[str, Path]
    features: Mapping[str, Path]
    router: Path | None
    generation: Json
    lineage: Json = field(default_factory=dict[str, object])
    expert_lineage: Mapping[str, Json] = field(default_factory=dict[str, Json])
    states: Mapping[str, Path] = field(default_factory=dict[str, Path])


@dataclass(frozen=True)
class Bundle:
    release_id: str
    path: Path
    manifest: Json


@dataclass(frozen=True)
class BundlePaths:
    """Where a release's parts lie, each with its content hash."""

    release_id: str
    base_hash: str
    experts: dict[str, tuple[str, Path]]
    features: dict[str, tuple[str, Path]]
    router: tuple[str, Path] | None
    lineage: dict[str, Path]
    manifest: Json
    states: dict[str, Path] = field(default_factory=dict[str, Path])

    @property
    def composition(self) -> Composition:
        return composition_of(self.manifest)


def composition_of(manifest: Json) -> Composition:
    router = manifest["router"]
    experts = {task: part["hash"] for task, part in manifest["experts"].items()}
    return Composition(manifest["base"]["hash"], experts, router["hash"] if router else None)


def write_bundle(spec: BundleSpec, releases: Path, keys: Path, before: Path | None = None) -> Bundle:
    """Fills, describes, signs; then moves the folder to its address at once. A second call finds it there.

    `before`: the release that parts are taken over from. It must have been verified just now: its digests are taken for
    those of its files, which are linked.

    Raises InvalidInput where the parts don't fit together, TamperedArtifact where the bundle that is there is broken.
    """
    _check(spec)
    releases.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(releases)
    with tempfile.TemporaryDirectory(dir=releases, prefix=_UNFINISHED) as temporary:
        content = Path(temporary) / "content"
        content.mkdir()
        filling = Filling(content, before, _read_manifest(before)["files"] if before else None)
        manifest = _fill(spec, filling)
        text = canonical_json(manifest)
        if str(releases.parent) in text:
            raise InvalidInput(
                f"The lineage of a release of {spec.model!r} names a path of this machine; leave it out."
            )
        release_id = sha256_text(text)
        final = releases / release_id
        if final.exists():
            return Bundle(release_id, final, verify_bundle(final, keys))
        write_bytes(content / MANIFEST, text.encode())
        signing.sign(content, keys)
        filling.sync()
        adopt_folder(content, final)
    return Bundle(release_id, final, manifest)


def verify_bundle(path: Path, keys: Path) -> Json:
    """Returns the manifest. Raises TamperedArtifact for a changed, missing or extra file, or a bad signature."""
    manifest = _read_manifest(path)
    expected: dict[str, str] = manifest["files"]
    odd = [p.name for p in path.rglob("*") if p.is_symlink() or not (p.is_file() or p.is_dir())]
    if odd:
        raise TamperedArtifact(f"Release {short(path.name)} holds links or devices ({', '.join(odd[:3])}).")
    there = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()} - {MANIFEST, signing.SIGNATURE}
    for name in sorted(expected.keys() | there):
        if name not in there:
            problem = "is missing"
        elif name not in expected:
            problem = "does not belong to it"
        elif sha256_file(path / name) != expected[name]:
            problem = "was changed"
        else:
            continue
        raise TamperedArtifact(
            f"Release {short(path.name)} does not verify: {name} {problem}. It is not loaded; restore its backup.",
            file=name,
        )
    signing.verify(path, keys)
    return manifest


def load_bundle(path: Path, keys: Path | None = None) -> BundlePaths:
    """Reads what a release is made of.

    With `keys` all of it is verified first; whoever copies or runs a part needs that. Without, only the manifest is
    checked against the release id, which is enough to name the parts. Raises TamperedArtifact.
    """
    manifest = verify_bundle(path, keys) if keys else _read_manifest(path)
    router = manifest["router"]
    return BundlePaths(
        release_id=path.name,
        base_hash=manifest["base"]["hash"],
        experts={task: (part["hash"], path / part["path"]) for task, part in manifest["experts"].items()},
        features={task: (part["hash"], path / part["path"]) for task, part in manifest["features"].items()},
        router=(router["hash"], path / router["path"]) if router else None,
        lineage={task: _lineage_file(path, task) for task in manifest["experts"]},
        manifest=manifest,
        states={name: path / f"states/{name}.safetensors" for name in manifest.get("states", ())},
    )


def read_lineage(path: Path) -> dict[str, Json]:
    """Per expert, what made it: the next release carries over what it does not train again."""
    return {task: read_json(file) for task, file in load_bundle(path).lineage.items()}


def lessons_of(manifest: Json) -> dict[str, str]:
    """Per expert, the digest of the file that tells what made it."""
    files: dict[str, str] = manifest.get("files", {})
    return {name: files[at] for name in manifest["experts"] if (at := f"lineage/{name}.json") in files}


def read_taught(path: Path, expert: str, lesson: str) -> list[str]:
    """The ids of the records that an expert was taught. Raises TamperedArtifact where its file is not the one meant."""
    file = _lineage_file(path, expert)
    if not file.is_file() or sha256_file(file) != lesson:
        raise TamperedArtifact(f"Release {short(path.name)} does not verify: {file.name} is missing or was changed.")
    return read_json(file)["record_ids"]


def newest_lineage(path: Path) -> dict[str, Json]:
    """Per task, what made the part that was trained last: it tells what the whole task has seen and remembers."""
    newest: dict[str, Json] = {}
    for name, lesson in read_lineage(path).items():
        task = task_of(name)
        if task not in newest or lesson.get("turn", 1) > newest[task].get("turn", 1):
            newest[task] = lesson
    return newest


def _lineage_file(path: Path, task: str) -> Path:
    return path / "lineage" / f"{task}.json"


def _read_manifest(path: Path) -> Json:
    file = path / MANIFEST
    if not file.is_file():
        raise TamperedArtifact(f"{path} holds no {MANIFEST}, so it is no release (or was damaged).", file=MANIFEST)
    if sha256_file(file) != path.name:
        raise TamperedArtifact(f"Release {short(path.name)} does not verify: {MANIFEST} was changed.", file=MANIFEST)
    return read_json(file)


def _check(spec: BundleSpec) -> None:
    tasks = spec.experts.keys()
    for task in (*tasks, *spec.states):
        if not _NAME.fullmatch(task):
            raise InvalidInput(
                f"{task!r} can't name a task: use a-z, 0-9, '-' and '_' (and .2, .3 … for its further parts).",
                field="task",
            )
    if spec.features.keys() != tasks or spec.expert_lineage.keys() != tasks:
        raise InvalidInput(
            f"A release needs features and lineage for each expert. Experts: {sorted(tasks)}, "
            f"features: {sorted(spec.features)}, lineage: {sorted(spec.expert_lineage)}."
        )
    if bool(tasks) != (spec.router is not None):
        raise InvalidInput("A release with experts needs a router, and one without experts has none.")
    for name, value in [("lineage", spec.lineage), *spec.expert_lineage.items()]:
        _refuse_volatile(value, name)


def _refuse_volatile(value: object, where: str) -> None:
    """Times, durations and paths differ from run to run: with them the same inputs would give another release."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in _VOLATILE and isinstance(item, str | int | float):
                raise InvalidInput(
                    f"{where}.{key} differs from run to run, so it can't be part of a release's lineage."
                )
            _refuse_volatile(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_volatile(item, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{where} is {value}; a release is made of finite numbers only.")


def _fill(spec: BundleSpec, filling: Filling) -> Json:
    """Adds all parts and describes what was added."""
    experts: Json = {}
    features: Json = {}
    for task in sorted(spec.experts):
        own, path = f"experts/{task}", f"features/{task}.safetensors"
        experts[task] = {"hash": filling.add_folder(spec.experts[task], own), "path": own}
        features[task] = {"hash": filling.add_file(spec.features[task], path), "path": path}
        filling.add_text(canonical_json(spec.expert_lineage[task]), f"lineage/{task}.json")
    for name, state in spec.states.items():
        filling.add_file(state, f"states/{name}.safetensors")
    router = filling.add_folder(spec.router, "router") if spec.router is not None else None
    tokenizer = [name for name in _TOKENIZER_FILES if (spec.base_path / name).is_file()]
    for name in tokenizer:
        filling.add_file(spec.base_path / name, f"tokenizer/{name}")
    if not tokenizer:
        raise InvalidInput(f"The base {spec.base_reference!r} has no tokenizer files in {spec.base_path}.")
    reference = Path(spec.base_reference)
    return {
        "format": FORMAT,
        "model": spec.model,
        "base": {"reference": reference.name if reference.is_absolute() else str(reference), "hash": spec.base_hash},
        "experts": experts,
        "features": features,
        "router": {"hash": router, "path": "router"} if router else None,
        **({"states": sorted(spec.states)} if spec.states else {}),
        "generation": spec.generation,
        "lineage": spec.lineage,
        "files": dict(sorted(filling.digests.items())),
    }


def _remove_abandoned(releases: Path) -> None:
    """A killed process leaves its unfinished folder behind."""
    for folder in releases.glob(f"{_UNFINISHED}*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)
