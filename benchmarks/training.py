"""How fast is training beside TRL, at the same loss?

The same as `clm bench training`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["training", *sys.argv[1:]])
