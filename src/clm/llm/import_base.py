"""`python -m clm.llm.import_base REFERENCE BASES_DIR`: one JSON line, so that the control plane needs no torch.

Exit 0: `{"base_hash", "path", "reference"}`; exit 1: `{"title", "sentence"}`.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from clm.errors import ClmError


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        sys.stdout.write(json.dumps({"title": "Wrong usage", "sentence": "Give REFERENCE and BASES_DIR."}) + "\n")
        return 1
    from clm.llm.base import import_base

    try:
        answer = asdict(import_base(arguments[0], Path(arguments[1])))
    except ClmError as error:
        sys.stdout.write(json.dumps({"title": error.title, "sentence": error.sentence}) + "\n")
        return 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
