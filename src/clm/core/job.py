"""What every job process does at its end: tell in `error.json` what could not be done."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clm.core.files import write_json
from clm.errors import ClmError


def run_in_folder(run: Callable[[Path], Any]) -> int:
    """Runs the job in the folder that the command line names; returns the exit code."""
    folder = Path(sys.argv[1])
    try:
        run(folder)
    except ClmError as error:
        write_json(folder / "error.json", {"title": error.title, "sentence": error.sentence})
        return 1
    return 0
