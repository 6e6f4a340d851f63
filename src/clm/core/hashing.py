"""Content addresses: SHA-256 in hex, over canonical JSON, bytes, files or folders."""

import hashlib
import json
from pathlib import Path

SHORT = 12  # characters of a digest shown to people


def canonical_json(value: object) -> str:
    """One text per value: sorted keys, no spaces, UTF-8 as is. NaN and Infinity raise ValueError."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def sha256_json(value: object) -> str:
    return sha256_text(canonical_json(value))


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_folder(folder: Path) -> str:
    """Digest over every file's relative path and digest; independent of order and file times."""
    files = {str(p.relative_to(folder)): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    return sha256_json(files)


def short(digest: str) -> str:
    return digest[:SHORT]
