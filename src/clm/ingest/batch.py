"""One delivery on its way from the spool into the store. Run twice, it does the same: recovery is to run it again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from clm.core.clock import now
from clm.errors import ClmError
from clm.ingest.reading import READERS, format_of
from clm.ingest.refused import RowRefused, sample_of
from clm.ingest.row import Row
from clm.ingest.validation import to_record
from clm.records import Appended, Json, Record, Refusal, Shape

SAMPLED = 200  # good rows of a batch that are looked at as a whole
KEPT_REFUSALS = 10_000  # refused rows of a batch that are kept one by one; beyond, they are only counted
_BARRED = {
    False: "its prompt is held out: it stands in a suite of this model, and a model must not train on its exam",
    True: "its prompt stands in the training rows of a task that was trained already; it can't be held out any more",
}


class RecordStore(Protocol):
    """What ingest needs of the store (clm.store.store.Store)."""

    def append(
        self, model: str, records: Iterable[Record], *, suite: bool, batch_id: str, sealed: bool = False
    ) -> Appended: ...


@dataclass(frozen=True)
class Delivery:
    """How to read a body and where its rows go. Fixed on arrival, so that a second run can't decide otherwise."""

    batch_id: str
    model: str
    task: str
    source: str
    suite: bool
    format: str
    holdout: float  # share of the training rows that goes into the suite
    sealed: bool  # the task was taught already: prompts that may have been trained on can't enter its suite
    arrived: datetime
    max_line_bytes: int
    # What rows are checked against (clm.ingest.fitting); None: nothing here could check them, `unchecked` says why.
    base: str | None = None
    max_tokens: int = 0
    metric: str = ""
    unchecked: str | None = None
    advice: str | None = None  # once it is taken: a metric that suits a task's first rows better
    slice: int = 1  # the suite's open slice, to which held-out rows are added


@dataclass
class Loaded:
    """received = accepted + duplicate + refused, always."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    into_suite: int = 0
    version: int | None = None
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    sample: list[tuple[Shape, Json]] = field(default_factory=list[tuple[Shape, Json]])  # of the good rows, the first

    def refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        if len(self.refusals) < KEPT_REFUSALS:
            self.refusals.append(refusal)


Check = Callable[[int, Record, bool], Refusal | None]  # line, record, whether it goes into the suite


def load(
    store: RecordStore, body: Path, delivery: Delivery, check: Check = lambda _line, _record, _suite: None
) -> Loaded:
    """Reads, checks and stores all rows of a body, and counts what became of them."""
    loaded = Loaded()
    # The suite first: whoever sees the training rows of a batch then sees its held-out ones, too.
    parts = [True] if delivery.suite else [True, False] if delivery.holdout > 0 else [False]
    for suite in parts:
        _store(store, body, delivery, suite, loaded, check, counts_rows=suite == parts[0])
    loaded.refusals.sort(key=lambda refusal: refusal.line)
    if loaded.received != loaded.accepted + loaded.duplicate + loaded.refused:
        raise ClmError(f"The counts of batch {delivery.batch_id} don't add up: {loaded}. Nothing was acknowledged.")
    return loaded


def _store(
    store: RecordStore, body: Path, delivery: Delivery, suite: bool, loaded: Loaded, check: Check, *, counts_rows: bool
) -> None:
    """Appends the rows that belong into the suite, or those that don't, as one version."""
    lines: list[int] = []
    kind = "own" if delivery.suite else "held_out"

    def wanted() -> Iterator[Record]:
        for row in read(body, delivery):
            loaded.received += counts_rows
            if isinstance(row, Refusal):
                if counts_rows:
                    loaded.refuse(row)
            elif _is_held_out(row[1], delivery) == suite:
                unfit = check(*row, suite)
                if unfit is not None:
                    loaded.refuse(unfit)
                    continue
                if len(loaded.sample) < SAMPLED:
                    loaded.sample.append((row[1].shape, row[1].content))
                lines.append(row[0])
                yield replace(row[1], slice=delivery.slice, kind=kind) if suite else row[1]

    appended = store.append(
        delivery.model, wanted(), suite=suite, batch_id=delivery.batch_id, sealed=suite and delivery.sealed
    )
    loaded.accepted += appended.accepted
    loaded.duplicate += appended.duplicates
    if suite and not delivery.suite:
        loaded.into_suite = appended.accepted
    loaded.version = appended.version if appended.version is not None else loaded.version
    for line, fate in zip(lines, appended.fates, strict=True):
        if fate == "barred":
            loaded.refuse(Refusal(line, None, _BARRED[suite]))


def _is_held_out(record: Record, delivery: Delivery) -> bool:
    """By prompt, not by chance: the same prompt is on the same side in every delivery and with every answer."""
    return delivery.suite or int(record.prompt_hash[:8], 16) / 2**32 < delivery.holdout


def peek(file: Path, max_line_bytes: int) -> tuple[list[Record], Refusal | None]:
    """The good rows of a file that is not taken in, and the first of the bad ones."""
    delivery = Delivery(
        batch_id="peek", model="", task="", source="peek", suite=False, holdout=0.0, sealed=False,
        format=format_of(file, format=None, file_name=file.name, content_type=None), arrived=now(),
        max_line_bytes=max_line_bytes,
    )  # fmt: skip
    found = [row if isinstance(row, Refusal) else row[1] for row in read(file, delivery)]
    records = [row for row in found if isinstance(row, Record)]
    return records, next((row for row in found if isinstance(row, Refusal)), None)


def read(body: Path, delivery: Delivery) -> Iterator[tuple[int, Record] | Refusal]:
    """Line and record of each good row, and what is wrong with the others."""
    for row in READERS[delivery.format](body, delivery.max_line_bytes):
        yield _record(row, delivery) if isinstance(row, Row) else _storable(row)


def _record(row: Row, delivery: Delivery) -> tuple[int, Record] | Refusal:
    try:
        record = to_record(
            row.values,
            task=delivery.task,
            source=delivery.source,
            batch_id=delivery.batch_id,
            ingested_at=delivery.arrived,
            max_bytes=delivery.max_line_bytes,
        )
    except RowRefused as refused:
        return _storable(Refusal(row.line, refused.field, refused.reason, row.sample))
    return row.line, record


def _storable(refusal: Refusal) -> Refusal:
    """Field and reason can quote the row; make them as harmless as its sample."""
    named = sample_of(refusal.field) if refusal.field is not None else None
    return Refusal(refusal.line, named, sample_of(refusal.reason), refusal.sample)
