"""`python -m clm.demo.data FOLDER`"""

import sys
from pathlib import Path

from clm.demo.data.generator import write

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m clm.demo.data FOLDER")
    for path in write(Path(sys.argv[1])):
        sys.stdout.write(f"{path}\n")
