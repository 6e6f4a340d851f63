"""From which states, and from how many rows, does the router find a prompt's task best?

The same as `clm bench router`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["router", *sys.argv[1:]])
