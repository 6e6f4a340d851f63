"""What the architecture tests look at: this repository's files, as git sees them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files(*endings: str) -> tuple[Path, ...]:
    """Every file that is tracked or could be (not ignored), with one of the endings; all of them without any."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file() and (not endings or path.name.endswith(endings))))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))
