"""JSON read strictly: what two parsers could read differently is refused."""

import json
import math
from typing import Any

from clm.ingest.refused import RowRefused


def parse(text: str, field: str | None = None) -> Any:
    """The value. Raises RowRefused for broken JSON, a key given twice, NaN, Infinity, 1e400 or too deep nesting."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(items)
        if len(value) < len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise RowRefused(twice if field is None else f"{field}.{twice}", f"the key {twice!r} is given twice")
        return value

    def constant(name: str) -> Any:
        raise RowRefused(field, f"{name} is not JSON")

    def number(digits: str) -> float:
        value = float(digits)
        if not math.isfinite(value):
            raise RowRefused(field, f"the number {digits[:20]} is too large")
        return value

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    except json.JSONDecodeError as error:
        raise RowRefused(field, f"not valid JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise RowRefused(field, "the JSON is nested too deeply") from None
    except ValueError:  # an integer of more than 4,300 digits
        raise RowRefused(field, "a number in it has too many digits") from None
