"""A release as the engine reads it: every byte is checked before anything is loaded.

The release id is the SHA-256 of the manifest, and the manifest holds the SHA-256 of every file, so whoever names a
release names its exact content. The signature over it was checked when it was made (clm.registry.bundle).
"""

import json
from dataclasses import dataclass
from pathlib import Path

from clm.core.hashing import sha256_file, short
from clm.errors import TamperedArtifact

MANIFEST, SIGNATURE = "manifest.json", "model.sig"


@dataclass(frozen=True)
class ReleaseParts:
    release_id: str
    base_hash: str
    experts: dict[str, tuple[str, Path]]  # task -> (hash, folder)
    router: tuple[str, Path] | None


def read_release(folder: Path) -> ReleaseParts:
    """Raises TamperedArtifact for a missing, changed or extra file."""
    release_id = folder.name
    if not (folder / MANIFEST).is_file():
        raise TamperedArtifact(f"Release {short(release_id)} is not in {folder.parent}; restore its backup.")
    if sha256_file(folder / MANIFEST) != release_id:
        raise TamperedArtifact(f"Release {short(release_id)} does not verify: {MANIFEST} was changed.")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    expected: dict[str, str] = manifest["files"]
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()} - {MANIFEST, SIGNATURE}
    for name in sorted(there ^ expected.keys()):
        state = "is missing" if name in expected else "does not belong to it"
        raise TamperedArtifact(f"Release {short(release_id)} does not verify: {name} {state}.")
    for name, digest in expected.items():
        if (folder / name).is_symlink() or sha256_file(folder / name) != digest:
            raise TamperedArtifact(f"Release {short(release_id)} does not verify: {name} was changed.")
    router = manifest["router"]
    return ReleaseParts(
        release_id,
        manifest["base"]["hash"],
        {task: (part["hash"], folder / part["path"]) for task, part in manifest["experts"].items()},
        (router["hash"], folder / router["path"]) if router else None,
    )
