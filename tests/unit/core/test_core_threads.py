"""torch's threads wait as they should, whatever was loaded before it: measured as what the system counts."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.usefixtures("process")

SHOWN = "import clm, os; print(os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "None")],
)
def test_how_long_threads_look_for_work_is_set_unless_somebody_did(given: dict[str, str], expected: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run(
        [sys.executable, "-c", SHOWN], env={**kept, **given}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
