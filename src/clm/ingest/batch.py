"""One delivery on its way from the spool into the store. Run twice, it does the same: recovery is to run it again."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from clm.core.clock import now
from clm.core.content import answer_key, completion, prompt_key, question
from clm.errors import ClmError
from clm.facts import Exam, Known, Ruling, SliceKind, Stored
from clm.ingest import holdout, routing
from clm.ingest.reading import READERS, format_of
from clm.ingest.refused import RowRefused, sample_of
from clm.ingest.routing import Line, Plan, Way
from clm.ingest.row import Row
from clm.ingest.validation import left_out, said_of, to_record
from clm.records import Appended, Json, Record, Refusal, Shape

SAMPLED = 200  # good rows of a batch that are looked at as a whole
KEPT_REFUSALS = 10_000  # refused rows of a batch that are kept one by one; beyond, they are only counted
ONE_ANSWER = frozenset({"exact_match", "choice", "contains", "number", "json_fields"})  # metrics that know one answer
_SKEW = timedelta(days=1)  # of clocks and time zones
_AHEAD = (
    "{n} rows say an event time that is still to come. Their answers count as the newest already, and nothing of an "
    "earlier time supersedes them: where the times are wrong, take the rows out (clm data drop)."
)
_BARRED = "its prompt is held out: it stands in a suite of this model, and a model must not train on its exam"


class RecordStore(Protocol):
    """What ingest needs of the store (clm.store.store.Store)."""

    def append(
        self, model: str, records: Iterable[Record], *, suite: bool, batch_id: str, sealed: bool = False
    ) -> Appended: ...
    def known(
        self, model: str, task: str, prompts: Collection[str], keys: Collection[str], batch_id: str,
        rulings: Sequence[Ruling] = (),
    ) -> Known: ...  # fmt: skip
    def neighbours(self, model: str, task: str, answers: Collection[str]) -> Iterable[holdout.Neighbour]: ...
    def history(self, model: str, reference: str, rulings: Sequence[Ruling] = ()) -> list[Stored]: ...


@dataclass(frozen=True)
class Delivery:
    """How to read a body and where its rows go. Fixed on arrival, so that a second run can't decide otherwise."""

    batch_id: str
    model: str
    task: str
    source: str
    suite: bool
    format: str
    holdout: float  # share of the new training rows that goes into the suite
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
    exam: Exam = "auto"
    key: str | None = None  # columns that say what a row is about, joined by commas; None: its prompt does
    event_time: str | None = None  # of rows that don't say, in ISO 8601; None: when they arrived
    share: float = 0.3  # of a batch that may contradict what holds without a rule, see clm.ingest.flips
    fewest: int = 5


@dataclass
class Loaded:
    """received = accepted + duplicate + refused, always."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    into_suite: int = 0
    superseding: int = 0
    late: int = 0
    version: int | None = None
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    sample: list[tuple[Shape, Json]] = field(default_factory=list[tuple[Shape, Json]])  # of the good rows, the first
    contradictions: list[Json] = field(default_factory=list[Json])  # see clm.ingest.tables.ConflictRow
    contradicting: int = 0  # rows
    notes: list[str] = field(default_factory=list[str])
    left_out: Counter[tuple[str, Shape]] = field(default_factory=Counter[tuple[str, Shape]])  # fields, by shape

    def refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        if len(self.refusals) < KEPT_REFUSALS:
            self.refusals.append(refusal)


Check = Callable[[int, Record, bool], Refusal | None]  # line, record, whether it goes into the suite


def load(
    store: RecordStore,
    body: Path,
    delivery: Delivery,
    check: Check = lambda _line, _record, _suite: None,
    rulings: Sequence[Ruling] = (),
) -> Loaded:
    """Reads, checks, routes and stores all rows of a body, and counts what became of them."""
    loaded = Loaded()
    lines = list(_lines(body, delivery, loaded, check))
    plan = _plan(store, delivery, lines, rulings)
    places = {line.line: at for at, line in enumerate(lines)}
    # The suite first: whoever sees the training rows of a batch then sees its held-out ones, too.
    for suite in (True, False):
        _store(store, body, delivery, suite, loaded, check, plan, places)
    _count(loaded, plan, lines, delivery)
    if loaded.received != loaded.accepted + loaded.duplicate + loaded.refused:
        raise ClmError(f"The counts of batch {delivery.batch_id} don't add up: {loaded}. Nothing was acknowledged.")
    return loaded


def _lines(body: Path, delivery: Delivery, loaded: Loaded, check: Check) -> Iterator[Line]:
    for row in read(body, delivery, loaded.left_out):
        loaded.received += 1
        refusal = row if isinstance(row, Refusal) else check(*row, delivery.suite)
        if refusal is not None:
            loaded.refuse(refusal)
        elif not isinstance(row, Refusal):
            record = row[1]
            if len(loaded.sample) < SAMPLED:
                loaded.sample.append((record.shape, record.content))
            asked = prompt_key(record.shape, record.content)
            yield Line(
                row[0], record.record_id, record.content_hash, record.key or asked, asked,
                answer_key(record.shape, record.content), record.event_time, record.source,
                question(record.shape, record.content), completion(record.shape, record.content),
                record.event_time != _untimed(delivery),
            )  # fmt: skip


def _plan(store: RecordStore, delivery: Delivery, lines: Sequence[Line], rulings: Sequence[Ruling]) -> Plan:
    prompts, keys = {line.prompt_key for line in lines}, {line.key for line in lines}
    known = store.known(delivery.model, delivery.task, prompts, keys, delivery.batch_id, rulings) if lines else Known()
    one_answer = delivery.metric in ONE_ANSWER or not delivery.metric
    rules = routing.Rules(delivery.suite, delivery.sealed, one_answer, delivery.share, delivery.fewest)
    plan = routing.compare(lines, known, rules)
    if not delivery.suite:
        exams = holdout.Exams(delivery.holdout, delivery.exam, delivery.metric or "exact_match")
        answers = {line.answer_key for line, way in zip(lines, plan.ways, strict=True) if way.new}
        stored = store.neighbours(delivery.model, delivery.task, answers) if answers and delivery.holdout > 0 else ()
        holdout.choose(plan, lines, known, exams, stored)
    if known.examined is not None:
        plan = _resumed(plan, lines, known.examined)
    routing.settle(plan)
    ahead = sum(line.event_time > delivery.arrived + _SKEW for line in lines)
    if ahead:
        plan.notes.append(_AHEAD.format(n=ahead))
    return plan


def _resumed(plan: Plan, lines: Sequence[Line], examined: frozenset[str]) -> Plan:
    """After a crash the suite has its rows already: what stands there went there, and nothing else does."""
    prompts = {line.prompt_key for line, way in zip(lines, plan.ways, strict=True) if way.record_id in examined}
    for at, way in enumerate(plan.ways):
        if way.outcome == "accepted" and way.record_id in examined:
            plan.ways[at] = replace(way, side="suite")
        elif way.outcome == "accepted" and way.side == "suite":
            known = lines[at].prompt_key in prompts
            plan.ways[at] = Way(None, "duplicate", "its prompt is examined already") if known else replace(
                way, side="training")  # fmt: skip
    return plan


def _store(
    store: RecordStore,
    body: Path,
    delivery: Delivery,
    suite: bool,
    loaded: Loaded,
    check: Check,
    plan: Plan,
    places: dict[int, int],
) -> None:
    """Appends the rows that belong into the suite, or those that don't, as one version."""
    side = "suite" if suite else "training"
    if not any(way.side == side for way in plan.ways):
        return
    written: list[int] = []

    def wanted() -> Iterator[Record]:
        for row in read(body, delivery):
            at = -1 if isinstance(row, Refusal) else places.get(row[0], -1)
            if isinstance(row, Refusal) or at < 0 or plan.ways[at].side != side:
                continue
            unfit = check(*row, True) if suite and not delivery.suite else None
            if unfit is not None:
                plan.ways[at], plan.unfit[at] = Way(None, "refused", unfit.reason), unfit
                continue
            written.append(at)
            record = replace(row[1], record_id=plan.ways[at].record_id, held=plan.ways[at].held)
            kind: SliceKind = "recall" if plan.ways[at].recall else "own" if delivery.suite else "held_out"
            yield replace(record, slice=delivery.slice, kind=kind) if suite else record

    appended = store.append(
        delivery.model, wanted(), suite=suite, batch_id=delivery.batch_id, sealed=suite and delivery.sealed
    )
    for at, fate in zip(written, appended.fates, strict=True):
        if fate == "duplicate" or (fate == "barred" and plan.ways[at].confirms):
            plan.ways[at] = Way(None, "duplicate", "it is known already")
        elif fate == "barred":
            plan.ways[at] = Way(None, "refused", routing.TRAINED if suite else _BARRED)
    loaded.version = appended.version if appended.version is not None else loaded.version


def _count(loaded: Loaded, plan: Plan, lines: Sequence[Line], delivery: Delivery) -> None:
    for at, (line, way) in enumerate(zip(lines, plan.ways, strict=True)):
        if way.outcome == "refused":
            loaded.refuse(plan.unfit.get(at) or Refusal(line.line, None, way.reason))
        loaded.duplicate += way.outcome == "duplicate"
        loaded.accepted += way.outcome == "accepted"
        loaded.into_suite += way.side == "suite" and not delivery.suite
        loaded.superseding += way.supersedes
        loaded.late += way.late
        loaded.contradicting += way.held
    loaded.refusals.sort(key=lambda refusal: refusal.line)
    loaded.notes = [*said_of(loaded.left_out), *plan.notes]
    possible = (_contradiction(tie, plan, lines, delivery) for tie in plan.contradictions)
    loaded.contradictions = [each for each in possible if each is not None]


def _contradiction(tie: routing.Contradiction, plan: Plan, lines: Sequence[Line], delivery: Delivery) -> Json | None:
    options: list[Json] = [
        {"record_id": row.record_id, "answer": row.answer, "event_time": row.event_time.isoformat(),
         "source": row.source, "batch_id": row.batch_id, "held_out": row.held_out, "new": False}
        for row in tie.stored
    ]  # fmt: skip
    options += [
        {"record_id": plan.ways[at].record_id, "answer": lines[at].answer,
         "event_time": lines[at].event_time.isoformat(), "source": lines[at].source, "batch_id": delivery.batch_id,
         "held_out": plan.ways[at].side == "suite", "new": True}
        for at in tie.lines if plan.ways[at].held
    ]  # fmt: skip
    if not any(option["new"] for option in options):
        return None
    first = lines[tie.lines[0]]
    return {"key": first.key, "prompt": first.prompt, "reason": tie.reason, "options": options}


def peek(file: Path, max_line_bytes: int) -> tuple[list[Record], Refusal | None]:
    """The good rows of a file that is not taken in, and the first of the bad ones."""
    delivery = Delivery(
        batch_id="peek", model="", task="", source="peek", suite=False, holdout=0.0, sealed=False,
        format=format_of(file, format=None, file_name=file.name, content_type=None), arrived=now(),
        max_line_bytes=max_line_bytes,
    )  # fmt: skip
    outcomes = [row if isinstance(row, Refusal) else row[1] for row in read(file, delivery)]
    records = [row for row in outcomes if isinstance(row, Record)]
    return records, next((row for row in outcomes if isinstance(row, Refusal)), None)


def read(
    body: Path, delivery: Delivery, left: Counter[tuple[str, Shape]] | None = None
) -> Iterator[tuple[int, Record] | Refusal]:
    """Line and record of each good row, and what is wrong with the others. `left` counts what was left out of rows."""
    for row in READERS[delivery.format](body, delivery.max_line_bytes):
        outcome = _record(row, delivery) if isinstance(row, Row) else _storable(row)
        if left is not None and isinstance(row, Row) and not isinstance(outcome, Refusal):
            left.update((name, outcome[1].shape) for name in left_out(row.values, outcome[1].shape))
        yield outcome


def _record(row: Row, delivery: Delivery) -> tuple[int, Record] | Refusal:
    try:
        record = to_record(
            row.values,
            task=delivery.task,
            source=delivery.source,
            batch_id=delivery.batch_id,
            ingested_at=delivery.arrived,
            event_time=_untimed(delivery),
            key=delivery.key.split(",") if delivery.key else (),
            max_bytes=delivery.max_line_bytes,
        )
    except RowRefused as refused:
        return _storable(Refusal(row.line, refused.field, refused.reason, row.sample))
    return row.line, record


def _untimed(delivery: Delivery) -> datetime:
    """The event time of rows that say none."""
    return datetime.fromisoformat(delivery.event_time) if delivery.event_time else delivery.arrived


def _storable(refusal: Refusal) -> Refusal:
    """Field and reason can quote the row; make them as harmless as its sample."""
    named = sample_of(refusal.field) if refusal.field is not None else None
    return Refusal(refusal.line, named, sample_of(refusal.reason), refusal.sample)
