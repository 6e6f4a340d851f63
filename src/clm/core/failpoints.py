"""Places where a test makes the process fail on purpose: `CLM_FAILPOINT=name:action`, action `kill` or `raise`.

Without the variable this costs one look into the environment.
"""

import os
import signal


def hit(name: str) -> None:
    wanted, _, action = os.environ.get("CLM_FAILPOINT", "").partition(":")
    if wanted != name:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError(f"failpoint {name}")
