"""A row as it was read, before anything is known about its content."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    line: int  # 1-based line (JSONL, CSV) or row (Parquet) number
    values: dict[str, Any]
    sample: str
