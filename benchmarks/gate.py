"""How often does the gate pass what lost, and what did not?

The same as `clm bench gate`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["gate", *sys.argv[1:]])
