"""Which new rows of a delivery are left out of training, as the open slice of the task's suite. Pure.

By prompt and not by chance: the same prompt is on the same side in every delivery. Near-duplicates with the same
answer stand on one side. What only one row teaches is not held out where the model can't know it otherwise.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from clm.core.content import normalised
from clm.facts import Exam, Known
from clm.ingest.near import Neighbours, Signature, signature
from clm.ingest.routing import Line, Plan, Way

Neighbour = tuple[str, str, bool, str]  # prompt key, answer key, whether held out, prompt
EXACT = frozenset({"exact_match", "contains"})  # metrics under which an answer is known or not
MOST_COMPARED = 100_000  # new rows of a delivery; beyond, only equal prompts are kept together
_COMMON, _FEWEST = 0.2, 5  # share of a delivery's answers from which on a word is a form of words; of so many at least
FACTS = (
    "Most answers come once and can't be worked out from their prompts, so they are facts: nothing is held out by "
    "itself, and what was taught is asked again (recall)."
)
UNTAUGHT = "{n} examples of your own suite have new answers that no training row teaches."


@dataclass(frozen=True)
class Exams:
    """How a task is examined, fixed on arrival."""

    holdout: float
    exam: Exam
    metric: str
    suite: bool = False  # the user brings held-out rows


def choose(plan: Plan, lines: Sequence[Line], known: Known, exams: Exams, stored: Iterable[Neighbour] = ()) -> None:
    """Gives each new row its side. `stored` are rows that hold and have the same answers as new rows."""
    new = [at for at, way in enumerate(plan.ways) if way.new and way.outcome == "accepted"]
    out = {at for at in new if lines[at].prompt_key in known.elsewhere}  # another task's exam is nobody's lesson
    if new and exams.holdout > 0 and exams.exam != "recall":
        facts = _facts(plan, lines, known) if exams.exam == "auto" and exams.metric in EXACT else set[int]()
        if 2 * len(facts) > len(new) > 1:
            plan.notes.append(FACTS)
        else:
            drawn = _drawn(lines, new, exams.holdout, stored)
            out |= _with_one_taught(plan, lines, known, drawn, facts if exams.exam == "auto" else None)
    for at in new:
        plan.ways[at] = replace(plan.ways[at], side="suite" if at in out else "training")
    _teach_changes(plan, lines, known, exams)


def _drawn(lines: Sequence[Line], new: Sequence[int], holdout: float, stored: Iterable[Neighbour]) -> set[int]:
    """The rows to hold out by the share: of near-duplicates all or none, as what is stored of them."""
    side: dict[str, bool] = {}
    if len(new) > MOST_COMPARED:
        return {at for at in new if _lot(lines[at].prompt_key) < holdout}
    signatures = {lines[at].prompt_key: signature(lines[at].prompt) for at in new}
    neighbours, sides = Neighbours(), dict[str, bool]()
    for prompt, answer, held_out, text in stored:
        sides[prompt] = held_out
        neighbours.add(answer, prompt, signature(text))
    for at in sorted(new, key=lambda at: lines[at].prompt_key):
        line = lines[at]
        if line.prompt_key not in side:
            side[line.prompt_key] = _side(line, signatures[line.prompt_key], neighbours, sides, holdout)
            sides[line.prompt_key] = side[line.prompt_key]
            neighbours.add(line.answer_key, line.prompt_key, signatures[line.prompt_key])
    return {at for at in new if side[lines[at].prompt_key]}


def _side(line: Line, its: Signature, neighbours: Neighbours, sides: dict[str, bool], holdout: float) -> bool:
    near = neighbours.near(line.answer_key, its)
    if near:
        return all(sides[prompt] for prompt in near)  # next to a taught one it would be no exam
    return _lot(line.prompt_key) < holdout


def _lot(prompt_key: str) -> float:
    return int(prompt_key[:8], 16) / 2**32


def _facts(plan: Plan, lines: Sequence[Line], known: Known) -> set[int]:
    """New rows whose answer no other row gives and that can't be worked out from the prompt and a form of words."""
    accepted = [at for at, way in enumerate(plan.ways) if way.outcome == "accepted"]
    given = Counter(known.answers)
    given.update(lines[at].answer_key for at in accepted)
    words = {at: set(normalised(lines[at].answer).split()) for at in accepted}
    used = Counter(word for each in words.values() for word in each)
    common = {word for word, n in used.items() if len(accepted) >= _FEWEST and n >= _COMMON * len(accepted)}
    return {
        at for at in accepted
        if plan.ways[at].new and given[lines[at].answer_key] == 1
        and not words[at] <= common | set(normalised(lines[at].prompt).split())
    }  # fmt: skip


def _with_one_taught(
    plan: Plan, lines: Sequence[Line], known: Known, drawn: set[int], facts: Collection[int] | None
) -> set[int]:
    """What of the drawn rows may be held out: of a key's answer, and of a fact, at least one row stays in training.

    `facts` None: the task is to be held out by its share whatever that costs; a named key still keeps one row.
    """
    taught: Counter[tuple[str, str]] = Counter()
    for row in known.rows:
        if not row.held_out and row.state == "holds":
            taught[(row.key, row.answer_key)] += 1
    for at, way in enumerate(plan.ways):
        if way.outcome == "accepted" and at not in drawn and way.side != "suite":
            taught[_unit(lines[at])] += 1
    out: set[int] = set()
    for at in sorted(drawn, key=lambda at: lines[at].prompt_key):
        named = lines[at].key != lines[at].prompt_key
        needed = (named and not taught[_unit(lines[at])]) or (facts is not None and at in facts)
        if needed:
            taught[_unit(lines[at])] += 1
        else:
            out.add(at)
    return out if facts is None else out - _last_of_answer(plan, lines, known, out)


def _last_of_answer(plan: Plan, lines: Sequence[Line], known: Known, out: set[int]) -> set[int]:
    """One row of each answer that would be taught by no row at all, though several rows give it."""
    rows: dict[str, list[int]] = {}
    taught = {answer for answer, n in known.answers.items() if n}
    for at, way in enumerate(plan.ways):
        if way.outcome == "accepted":
            rows.setdefault(lines[at].answer_key, []).append(at)
            if at not in out and way.side != "suite":
                taught.add(lines[at].answer_key)
    return {max((at for at in members if at in out), key=lambda at: lines[at].prompt_key)
            for answer, members in rows.items()
            if answer not in taught and len(members) > 1 and any(at in out for at in members)}  # fmt: skip


def _unit(line: Line) -> tuple[str, str]:
    return line.key, line.answer_key


def _teach_changes(plan: Plan, lines: Sequence[Line], known: Known, exams: Exams) -> None:
    """A new answer that only examined prompts have would be asked and never taught: one of them is taught instead.

    What the user brought as an exam stays one, and the report says so.
    """
    if exams.suite or exams.metric not in EXACT:
        return
    own = {row.prompt_key for row in known.rows if row.held_out and row.kind == "own"}
    taught = {answer for answer, n in known.answers.items() if n}
    taught |= {lines[at].answer_key for at, way in enumerate(plan.ways) if _writes(way) and way.side == "training"}
    untaught: dict[str, list[int]] = {}
    for at, way in enumerate(plan.ways):
        if _writes(way) and way.side == "suite" and way.supersedes and lines[at].answer_key not in taught:
            untaught.setdefault(lines[at].answer_key, []).append(at)
    stuck = 0
    for members in untaught.values():
        free = [at for at in members if lines[at].prompt_key not in own | known.elsewhere]
        if not free:
            stuck += len(members)
            continue
        moved = max(free, key=lambda at: lines[at].prompt_key)
        plan.ways[moved] = replace(plan.ways[moved], side="training")
    if stuck:
        plan.notes.append(UNTAUGHT.format(n=stuck))


def _writes(way: Way) -> bool:
    return way.outcome == "accepted" and not way.held
