"""Why a row is not taken. Only travels inside ingest; it leaves as a `Refusal` of the report."""

SAMPLE_LENGTH = 160  # characters of a refused row that are kept


class RowRefused(Exception):
    """The row breaks a rule: `field` (None: the row as a whole) and a reason that says what would be right."""

    def __init__(self, field: str | None, reason: str) -> None:
        super().__init__(reason)
        self.field = field
        self.reason = reason


def sample_of(raw: bytes | str) -> str:
    """The beginning of a row, fit for a database and a screen: no NUL, no control characters, no lone surrogates."""
    if isinstance(raw, str):
        raw = raw[:SAMPLE_LENGTH].encode("utf-8", "replace")
    text = raw[: 4 * SAMPLE_LENGTH].decode("utf-8", "replace")[:SAMPLE_LENGTH]
    text = text.rstrip("\r\n")
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
