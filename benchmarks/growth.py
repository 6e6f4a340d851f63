"""Does an update get slower or larger as tasks pile up?

The same as `clm bench growth`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["growth", *sys.argv[1:]])
