"""A home for an installation that is measured: a temporary one, or a new folder that stays."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from clm.errors import InvalidInput


@contextmanager
def measured_home(home: Path | None, name: str) -> Generator[Path]:
    """Raises InvalidInput for a folder with something in it."""
    if home is None:
        with tempfile.TemporaryDirectory(prefix=f"clm-{name}-", ignore_cleanup_errors=True) as folder:
            yield Path(folder).resolve()
        return
    if home.exists() and any(home.iterdir()):
        raise InvalidInput(f"--home {home} is not empty. Name a new folder.")
    home.mkdir(parents=True, exist_ok=True)
    yield home.resolve()
