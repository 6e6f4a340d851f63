"""What taking rows in needs, and what a batch says of itself."""

from dataclasses import dataclass

from clm.core.caller import Caller
from clm.core.database import Database
from clm.errors import InvalidInput
from clm.ingest.batch import RecordStore
from clm.settings import Settings


@dataclass(frozen=True)
class Intake:
    """Where rows are taken in, and for whom."""

    database: Database
    store: RecordStore
    settings: Settings
    caller: Caller


@dataclass(frozen=True)
class BatchSpec:
    """A file of rows for a task or, with `suite`, of held-out rows. Its form is told by `format`, or found."""

    model: str
    task: str
    source: str = "upload"
    suite: bool = False
    key: str | None = None  # column (or several, joined by commas) that says what a row is about; None: its prompt
    file_name: str | None = None
    content_type: str | None = None
    format: str | None = None  # "jsonl" | "csv" | "parquet"
    idempotency_key: str | None = None  # the same key and body again has no further effect

    @property
    def columns(self) -> str | None:
        return columns_of(self.key)

    def check(self) -> None:
        """Raises InvalidInput for a key that is none."""
        columns_of(self.key)
        key = self.idempotency_key
        if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
            raise InvalidInput("An Idempotency-Key has 1 to 200 printable characters.", field="Idempotency-Key")


def columns_of(key: str | None) -> str | None:
    """The named key columns, tidied. Raises InvalidInput for none between commas."""
    if key is None:
        return None
    columns = [column.strip() for column in key.split(",")]
    if not all(columns) or len(set(columns)) < len(columns):
        raise InvalidInput(f"A key is a column's name, or several joined by commas; got {key!r}.", field="key")
    return ",".join(columns)
