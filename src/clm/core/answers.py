"""What stands in an answer: a number, a JSON value. Read alike when a reference arrives and when answers are scored."""

import json
import math
import re
import unicodedata
from typing import Any

# 1,200.5 · 1 200 (with a narrow or hard space) · 1'200 · 1.200,50 · 1.234.567 · 3.14 · 3,5 · .5 · 6e23
_NUMBER = re.compile(
    r"(?<!\d)(?:(?<!\w)[-−+])?"
    r"(?:\d{1,3}(?:[,'’\u00a0\u202f]\d{3})+(?:\.\d+)?(?!\d)"
    r"|\d{1,3}(?:\.\d{3})+,\d+(?!\d)|\d{1,3}(?:\.\d{3}){2,}(?!\d)"
    r"|(?:\d+(?:[.,]\d+)?|\.\d+)(?:[eE][-+]?\d+)?)"
)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


def last_number(text: str) -> float | None:
    """The last number in the text; None where there is none that is finite.

    A lone comma before three digits groups thousands (1,200 is 1200), else it is a decimal comma (3,5 and 0,125).
    """
    numbers = _numbers(text)
    return _value(numbers[-1]) if numbers else None


def count_numbers(text: str) -> int:
    return len(_numbers(text))


def json_value(text: str) -> Any | None:
    """The JSON object or array that the text is, else None; NaN and Infinity are not JSON."""
    stripped = text.strip()
    if not stripped.startswith(("{", "[")):
        return None
    try:
        return json.loads(stripped, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def json_within(text: str) -> Any | None:
    """The JSON object or array that the text is, or that it holds in a code fence or after some words."""
    fenced = _FENCE.search(text)
    for part in (text, fenced.group(1) if fenced else ""):
        value = json_value(part)
        if value is not None:
            return value
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if start < 0:
        return None
    try:
        value, _ = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text[start:])
    except (ValueError, RecursionError):
        return None
    return value


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text.replace("\u2009", "\u202f"))


def _value(text: str) -> float | None:
    plain = unicodedata.normalize("NFKC", text).replace("−", "-").replace("’", "'")
    plain = plain.replace("'", "").replace(" ", "")
    if "," in plain and "." in plain:  # the later one is the decimal sign
        plain = plain.replace(",", "") if plain.rfind(".") > plain.rfind(",") else plain.replace(".", "")
    elif plain.count(".") > 1:
        plain = plain.replace(".", "")
    elif plain.count(",") > 1 or re.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}", plain):
        plain = plain.replace(",", "")
    try:
        value = float(plain.replace(",", "."))
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
