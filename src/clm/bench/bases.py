"""The base of a benchmark: by name, as a folder, or the tiny one that it writes itself."""

from pathlib import Path

from clm.bench.options import TINY_BASE
from clm.settings import Settings


def base_reference(name: str, folder: Path) -> str:
    """What `import_base` takes; the tiny base is written into `folder`."""
    if name != TINY_BASE:
        return name
    from clm.bench.tiny_model import tiny_base

    return str(tiny_base(folder))


def base_folder(name: str, folder: Path) -> Path:
    """A base's files: of a named one in CLM's home, where it is kept for the next time."""
    from clm.llm.base import import_base

    bases = folder / "bases" if name == TINY_BASE else Settings.load().paths.bases
    return Path(import_base(base_reference(name, folder / "tiny"), bases).path)
