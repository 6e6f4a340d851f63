"""When a task's labels are renamed, merged and swapped on the way: is the new learned, and is the rest kept?

The same as `clm bench conflict`; `--help` shows what can be set.
"""

import sys

from clm.cli.bench import app

if __name__ == "__main__":
    app(["conflict", *sys.argv[1:]])
