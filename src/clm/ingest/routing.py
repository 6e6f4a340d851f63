"""Where each row of a delivery goes, decided as a whole before anything is written. Pure.

A row is compared with what is stored of its prompt and key: it may be known already, say something newer (then it
supersedes), something older (then it is history on arrival), or contradict without saying which is right (then a
person decides). A new prompt is taught, or held out as the open slice of the suite; clm.ingest.holdout chooses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from clm.core.hashing import sha256_text
from clm.facts import Known, Stored
from clm.ingest.flips import Change, relabelled
from clm.records import Refusal

Side = Literal["suite", "training"]
Outcome = Literal["accepted", "duplicate", "refused"]
TRAINED = "its prompt stands in the training rows of a task that was trained already; it can't be held out any more"
ASKED_AGAIN = (
    "{n} examples have prompts that stand in the training rows of a task that was trained already, so they are asked "
    "as recall: how well they are answered is shown apart and never counted as what the model makes of new prompts."
)


@dataclass(frozen=True)
class Line:
    """What is looked at of a good row."""

    line: int
    record_id: str
    content_hash: str
    key: str
    prompt_key: str
    answer_key: str
    event_time: datetime
    source: str
    prompt: str
    answer: str
    timed: bool = False  # the row says its event time


@dataclass(frozen=True)
class Rules:
    """How a delivery's rows are routed, fixed on arrival."""

    suite: bool = False  # the user brings held-out rows
    sealed: bool = False  # the task was taught already: prompts that may have been trained on can't enter its suite
    one_answer: bool = True  # the metric knows one right answer, so two are a contradiction
    share: float = 0.3  # of a batch that may contradict what holds without a clear rule
    fewest: int = 5  # contradictions that are never taken for a relabelling


@dataclass(frozen=True)
class Way:
    side: Side | None  # None: nothing is written of it
    outcome: Outcome
    reason: str = ""
    record_id: str = ""
    supersedes: bool = False  # it says something newer
    late: bool = False  # something newer is known already
    held: bool = False
    confirms: bool = False  # a duplicate that is written all the same: what is known still held at a later time
    of: int | None = None  # the row of this delivery that it confirms, by index
    recall: bool = False  # an example of the user's whose prompt is taught
    new: bool = False  # nothing was known of its prompt, so it may be taught or held out


@dataclass(frozen=True)
class Contradiction:
    """One prompt with answers of which a person says what is right; lines are indices into the delivery's rows."""

    prompt_key: str
    lines: tuple[int, ...]
    stored: tuple[Stored, ...]
    reason: str


@dataclass
class Plan:
    ways: list[Way]
    contradictions: list[Contradiction] = field(default_factory=list[Contradiction])
    notes: list[str] = field(default_factory=list[str])
    unfit: dict[int, Refusal] = field(default_factory=dict[int, Refusal])  # what can't be an example, by index


def compare(lines: Sequence[Line], known: Known, rules: Rules) -> Plan:
    """What each row says beside what is stored. Of prompts that are new the side is left open."""
    by_prompt: dict[str, list[Stored]] = {}
    by_key: dict[str, list[Stored]] = {}
    for row in known.rows:
        by_prompt.setdefault(row.prompt_key, []).append(row)
        by_key.setdefault(row.key, []).append(row)
    ways = [_way(line, by_prompt.get(line.prompt_key, ()), by_key.get(line.key, ()), rules) for line in lines]
    _drop_repeated(lines, ways)
    plan = Plan(ways)
    if rules.one_answer and not rules.suite:
        _hold_within(lines, plan, by_prompt)
        _hold_ties(lines, plan, by_prompt)
        _hold_relabelled(lines, plan, by_prompt, rules, known)
    _mark_older(lines, plan)
    recalled = sum(way.recall for way in plan.ways)
    if recalled:
        plan.notes.append(ASKED_AGAIN.format(n=recalled))
    return plan


def _way(line: Line, stored: Sequence[Stored], of_key: Sequence[Stored], rules: Rules) -> Way:
    exam = [row for row in stored if row.held_out and (rules.suite or row.kind != "recall")]
    if not rules.suite:  # what is asked as recall says nothing of what is taught
        stored = [row for row in stored if row.kind != "recall"]
    same = [row for row in stored if row.content_hash == line.content_hash and (row.held_out or not rules.suite)]
    if any(_says_it(row, line) for row in same):
        return _confirmation(line, same, [*stored, *of_key]) or Way(None, "duplicate", "it is known already")
    side: Side = "suite" if rules.suite or exam else "training"
    recall = rules.suite and rules.sealed and any(not row.held_out and row.state != "superseded" for row in stored)
    current = [row for row in (exam or stored) if row.state == "holds"]
    if exam and any(row.answer_key == line.answer_key for row in current):
        return Way(None, "duplicate", "its prompt is examined already, with this answer")
    name = _again(line) if same else line.record_id
    current = current if stored else _current(of_key)
    newest = max((row.event_time for row in current), default=None)
    other = newest is not None and all(row.answer_key != line.answer_key for row in current)
    return Way(
        side, "accepted", record_id=name, new=not stored and not rules.suite, recall=recall,
        supersedes=other and newest is not None and line.event_time > newest,
        late=other and newest is not None and line.event_time < newest,
    )  # fmt: skip


def _says_it(row: Stored, line: Line) -> bool:
    """The same content is known and holds, waits for a person, or was said then or later."""
    return row.state != "superseded" or row.event_time >= line.event_time


def _confirmation(line: Line, same: Sequence[Stored], about: Sequence[Stored]) -> Way | None:
    """A later time at which what is known still holds, so that a row of a time between does not supersede it.

    Kept of rows that say their time, and where there was another answer: dumps of what never changes add nothing.
    """
    later = all(line.event_time > row.event_time and row.kind != "recall" for row in same)
    disputed = any(row.answer_key != line.answer_key for row in about)
    if not later or not (line.timed or disputed) or any(row.state == "undecided" for row in same):
        return None
    side: Side = "suite" if any(row.held_out for row in same) else "training"
    return Way(side, "duplicate", "it is known already; its later time is kept", _again(line), confirms=True)


def _again(line: Line) -> str:
    """Names an answer that comes back after another one held: the same content at another time is another record."""
    return "rec_" + sha256_text(f"{line.content_hash} {line.event_time.isoformat()}")[:24]


def _drop_repeated(lines: Sequence[Line], ways: list[Way]) -> None:
    """Of equal rows the earliest counts; a later time confirms it, or brings it back after another answer."""
    groups: dict[tuple[str, str], list[int]] = {}
    for at, line in enumerate(lines):
        if ways[at].record_id:
            groups.setdefault((line.content_hash, str(ways[at].side)), []).append(at)
    others: dict[str, list[Line]] = {}
    for line in lines if any(len(members) > 1 for members in groups.values()) else ():
        for name in {line.key, line.prompt_key}:
            others.setdefault(name, []).append(line)
    for members in groups.values():
        before, *rest = sorted(members, key=lambda at: lines[at].event_time)
        first = before
        for at in rest:
            line, last = lines[at], lines[before].event_time
            about = [*others[line.key], *others[line.prompt_key]] if line.event_time > last else []
            if not about:
                ways[at] = Way(None, "duplicate", "it stands in this delivery before")
                continue
            back = any(one.answer_key != line.answer_key and last < one.event_time < line.event_time for one in about)
            ways[at] = replace(ways[at], record_id=_again(line))
            if not back and not ways[at].confirms:
                ways[at] = replace(ways[at], outcome="duplicate", confirms=True, of=first,
                                   reason="it stands in this delivery before; its later time is kept")  # fmt: skip
            before = at


def settle(plan: Plan) -> None:
    """What confirms a row of the same delivery goes where that went."""
    for at, way in enumerate(plan.ways):
        if way.of is not None:
            first = plan.ways[way.of]
            written = first.outcome == "accepted" and not first.held
            plan.ways[at] = replace(way, side=first.side) if written else Way(None, "duplicate", way.reason)


def _hold_within(lines: Sequence[Line], plan: Plan, stored: Mapping[str, Sequence[Stored]]) -> None:
    """A delivery that gives a prompt two answers at one moment contradicts itself."""
    groups: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        if plan.ways[at].outcome != "refused":
            groups.setdefault(line.prompt_key, []).append(at)
    for prompt, members in groups.items():
        newest = max(lines[at].event_time for at in members)
        last = [at for at in members if lines[at].event_time == newest]
        if len({lines[at].answer_key for at in last}) > 1:
            _hold(plan, prompt, last, _current(stored.get(prompt, ())),
                  "the delivery gives this prompt several answers at the same time")  # fmt: skip


def _hold_ties(lines: Sequence[Line], plan: Plan, stored: Mapping[str, Sequence[Stored]]) -> None:
    groups: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        way = plan.ways[at]
        current = _current(stored.get(line.prompt_key, ()))
        tie = current and not way.supersedes and not way.late
        if tie and _open(way) and all(row.answer_key != line.answer_key for row in current):
            groups.setdefault(line.prompt_key, []).append(at)
    for prompt, members in groups.items():
        current = _current(stored[prompt])
        sources = {row.source for row in current} | {lines[at].source for at in members}
        who = f"two sources ({', '.join(sorted(sources))})" if len(sources) > 1 else "two rows"
        _hold(plan, prompt, members, current, f"{who} say different things of the same moment")


def _hold_relabelled(
    lines: Sequence[Line], plan: Plan, stored: Mapping[str, Sequence[Stored]], rules: Rules, known: Known
) -> None:
    """Many answers exchanged at once without a rule look like labels that got mixed up, not like news."""
    asked = [(at, row) for at, line in enumerate(lines) for row in _current(stored.get(line.prompt_key, ()))[:1]]
    changes = [Change(row.answer_key, lines[at].answer_key) for at, row in asked
               if plan.ways[at].outcome != "refused"]  # fmt: skip
    reason = relabelled(changes, known.answers, len(lines), rules.share, rules.fewest)
    if reason is None:
        return
    plan.notes.append(f"Held for a person: {reason}.")
    for at, _ in asked:
        if plan.ways[at].supersedes and _open(plan.ways[at]):
            _hold(plan, lines[at].prompt_key, [at], _current(stored[lines[at].prompt_key]), reason)


def _mark_older(lines: Sequence[Line], plan: Plan) -> None:
    """Within a delivery the newest answer of a prompt holds; older ones are history on arrival."""
    newest: dict[str, tuple[datetime, str]] = {}
    for at, line in enumerate(lines):
        last = newest.get(line.prompt_key)
        if _open(plan.ways[at]) and (last is None or line.event_time > last[0]):
            newest[line.prompt_key] = (line.event_time, line.answer_key)
    for at, line in enumerate(lines):
        way = plan.ways[at]
        if (
            _open(way)
            and line.event_time < newest[line.prompt_key][0]
            and line.answer_key != newest[line.prompt_key][1]
        ):
            plan.ways[at] = replace(way, late=True, supersedes=False)


def _hold(plan: Plan, prompt: str, members: Sequence[int], stored: Sequence[Stored], reason: str) -> None:
    fresh = [at for at in members if _open(plan.ways[at])]
    if not fresh:
        return
    for at in fresh:
        plan.ways[at] = replace(plan.ways[at], held=True, supersedes=False, late=False)
    plan.contradictions.append(Contradiction(prompt, tuple(fresh), tuple(stored), reason))


def _open(way: Way) -> bool:
    return way.outcome == "accepted" and not way.held


def _current(stored: Sequence[Stored]) -> list[Stored]:
    return [row for row in stored if row.state == "holds"]
