"""How much does each strategy learn and forget on a sequence of data sets?

The same as `clm bench continual`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["continual", *sys.argv[1:]])
