"""Makes equal texts equal: Unicode NFC, and line ends as `\\n`. Nothing else is changed."""

import unicodedata

from clm.ingest.refused import RowRefused


def clean_text(value: object, field: str) -> str:
    """The text, normalised. Raises RowRefused where it is no text, is empty, or can't be stored."""
    if not isinstance(value, str):
        raise RowRefused(field, f"must be text, got {_kind(value)}")
    if "\0" in value:
        raise RowRefused(field, "holds a NUL character")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise RowRefused(field, "holds half of a surrogate pair, which is no character") from None
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.strip():
        raise RowRefused(field, "is empty")
    return text


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    names: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "an object" if isinstance(value, dict) else names.get(type(value), type(value).__name__)
