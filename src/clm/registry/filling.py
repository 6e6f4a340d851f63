"""Fills a release's folder, knowing the digest of every file in it.

What a release takes over from the one before is linked, not copied: fifty experts take the room of one update's files,
and a release costs what is new in it. Who calls has just verified the release before, so its digests are known. What
an update made is copied: damage to an artifact must not reach a release. Where the file system has no links, files of
the release before are copied too.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from clm.core.files import sync_file, sync_folder
from clm.core.hashing import sha256_file, sha256_json, sha256_text
from clm.errors import InvalidInput


class Filling:
    """A folder that becomes a release. `before` is the verified release whose files may be taken over, `known` their
    digests by relative path."""

    def __init__(self, content: Path, before: Path | None = None, known: Mapping[str, str] | None = None) -> None:
        self._content = content
        self._before = before
        self._known = known or {}
        self._written: list[Path] = []
        self.digests: dict[str, str] = {}  # by relative path

    def add_folder(self, source: Path, target: str) -> str:
        """Its files, under `target`. Returns the folder's digest. Raises InvalidInput for links and what is missing."""
        if not source.is_dir():
            raise InvalidInput(f"{source} is not a folder; the artifact is missing.")
        files = [file for file in sorted(source.rglob("*")) if not file.is_dir()]
        return sha256_json(
            {str(at): self.add_file(file, f"{target}/{at}") for file in files for at in [file.relative_to(source)]}
        )

    def add_file(self, source: Path, target: str) -> str:
        """Returns its digest: of what was copied, not of what lay there before."""
        if source.is_symlink() or not source.is_file():
            raise InvalidInput(f"{source} is missing or not a plain file.")
        digest = self._known_digest(source)
        if digest is None or not self._link(source, target):
            shutil.copyfile(source, self._place(target))
            self._written.append(self._content / target)
            digest = sha256_file(self._content / target)
        self.digests[target] = digest
        return digest

    def add_text(self, text: str, target: str) -> None:
        self.digests[target] = sha256_text(text)
        same = self._before is not None and self._known.get(target) == self.digests[target]
        if not (same and self._before and self._link(self._before / target, target)):
            self._place(target).write_text(text, encoding="utf-8")
            self._written.append(self._content / target)

    def sync(self) -> None:
        """Everything is on disk when this returns; what was linked was before."""
        for file in self._written:
            sync_file(file)
        for folder in [self._content, *(path for path in self._content.rglob("*") if path.is_dir())]:
            sync_folder(folder)

    def _known_digest(self, source: Path) -> str | None:
        if self._before is None or not source.is_relative_to(self._before):
            return None
        return self._known.get(str(source.relative_to(self._before)))

    def _link(self, source: Path, target: str) -> bool:
        try:
            os.link(source, self._place(target))
        except OSError:  # another device, no links here, or as many as the file system can count
            return False
        return True

    def _place(self, target: str) -> Path:
        place = self._content / target
        place.parent.mkdir(parents=True, exist_ok=True)
        return place
