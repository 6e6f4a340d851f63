"""Does one task whose classes come one after the other keep the old ones, with how many experts?

The same as `clm bench within`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["within", *sys.argv[1:]])
