"""What examines a task: its suite's slices, old ones thinned, and taught prompts where nothing can be held out."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.dataset as ds
from deltalake import DeltaTable

from clm.core.hashing import canonical_json
from clm.formats import suites
from clm.store import delta, renewal
from clm.store.mixture import CONTENT, answer_of, in_order
from clm.store.view import Row, View

FEWEST = 20  # held-out examples of an old slice stay in use, whatever the bound on all of them says
Bounds = tuple[int, int] | None  # rows of an old slice, of all old slices together; None: all stay in use


@dataclass(frozen=True)
class Recalled:
    """Taught prompts of a task that are asked again; see RecallOf. `since`: a version of `records`."""

    task: str
    sample: int
    since: int | None
    learns: bool = False
    closed: int = 1
    before: int = 1
    held: Collection[str] = ()  # batches
    unseen: Collection[str] = ()  # record ids


@dataclass(frozen=True)
class RecallOf:
    """Which taught prompts of a task are asked again.

    `since` is `records` as the task's last release saw it (None: nothing was taught yet). Of the task that is updated
    (`learns`) what is new counts to the slice `closed`, and changed answers are always asked; of another task, or of
    what was known before, only what its expert has learned, as slice `before`.
    """

    task: str
    sample: int
    since: DeltaTable | None
    learns: bool = False
    closed: int = 1
    before: int = 1
    most_changed: int = 200
    not_taught: Collection[str] = ()  # batches that are held
    unseen: Collection[str] = ()  # record ids in `since` that the last training left out


def examples(view: View, task: str, bounds: Bounds) -> list[Row]:
    """Labels of the rows that examine a task, old slices thinned; what changed as clm.store.renewal says."""
    rows = [row | {"slice": row["slice"] or 1, "kind": row["kind"] or "held_out"}
            for row in [*view.exam(task), *renewal.renewed(view, task)]]  # fmt: skip
    return thinned(rows, bounds)


def counted(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that a task's score is made of, as clm.evaluation.scores counts them."""
    return [row for row in rows if row["kind"] != "recall"] or rows


def thinned(rows: Sequence[Row], bounds: Bounds) -> list[Row]:
    """All rows of the newest slice and all that the user brought; of each older slice a fair sample of bounded size.

    The sample is stratified by answer and goes by hash, so that a slice loses examples and never changes them.
    """
    newest = max((row["slice"] for row in rows), default=1)
    old = sorted({row["slice"] for row in rows if row["kind"] == "held_out" and row["slice"] < newest})
    if bounds is None or not old:
        return list(rows)
    most = max(FEWEST, min(bounds[0], bounds[1] // len(old)))
    kept = [row for row in rows if row["kind"] != "held_out" or row["slice"] == newest]
    for number in old:
        kept += in_turn([row for row in rows if row["kind"] == "held_out" and row["slice"] == number])[:most]
    return kept


def in_turn(rows: Sequence[Row]) -> list[Row]:
    """One row of each answer, then a second of each, and so on; by hash among equals."""
    turns: Counter[str] = Counter()
    placed: list[tuple[int, str, Row]] = []
    for row in sorted(rows, key=lambda row: (row["prompt_key"], row["record_id"])):
        placed.append((turns[row["answer_key"]], row["prompt_key"], row))
        turns[row["answer_key"]] += 1
    return [row for _, _, row in sorted(placed, key=lambda one: (one[0], one[1], one[2]["record_id"]))]


def recalled(view: View, plan: RecallOf) -> list[Row]:
    """Labels of taught rows with the slice that each counts to, as kind `recall`."""
    usable = [row for row in view.usable(plan.task) if row["record_id"] not in view.dropped]
    known: set[str] = set()
    if plan.since is not None:
        known = delta.values(plan.since, "record_id", delta.of_task(plan.task)).difference(plan.unseen)
    old = [row | {"slice": plan.before} for row in usable if row["record_id"] in known]
    new = [row | {"slice": plan.closed} for row in usable if row["record_id"] not in known
           and row["batch_id"] not in plan.not_taught] if plan.learns else []  # fmt: skip
    changed_names = _changed(view, plan.task)
    changed = [row for row in in_turn(new) if {row["key"], row["prompt_key"]} & changed_names][: plan.most_changed]
    chosen = {row["record_id"]: row for row in [*changed, *in_turn([*old, *new])[: plan.sample]]}
    return [row | {"kind": "recall"} for row in chosen.values()]


def _changed(view: View, task: str) -> set[str]:
    """Keys and prompts of the task for which a row was superseded."""
    superseded = view.standing(task).superseded
    rows = [*view.taught(task).to_pylist(), *view.examined.get(task, [])] if superseded else []
    return {name for row in rows if row["record_id"] in superseded for name in (row["key"], row["prompt_key"])}


def write_suites(
    view: View,
    out: Path,
    tasks: Sequence[str],
    bounds: Bounds,
    recall: Sequence[RecallOf] = (),
    keep: Callable[[Row], bool] = lambda _: True,
) -> Path:
    """Writes `clm.formats.suites`: by task, then by example. `keep` is asked of every row."""
    found: list[Row] = []
    chosen_of = {task: examples(view, task, bounds) for task in sorted(tasks)}
    kept = [row for rows in chosen_of.values() for row in rows if renewal.STANDS_IN not in row]
    contents = _contents(view.suites, tasks, kept)  # in one go: reading one task's takes as long as reading all
    for task, chosen in chosen_of.items():
        held_out = _filled([row for row in chosen if renewal.STANDS_IN not in row], contents)
        held_out = renewal.with_answers(view, task, held_out)
        held_out += _with_content(view.records, task, [row for row in chosen if renewal.STANDS_IN in row])
        asked = {row["prompt_key"] for row in held_out}
        taught = [row for plan in recall if plan.task == task
                  for row in _with_content(view.records, task, recalled(view, plan))
                  if row["prompt_key"] not in asked]  # fmt: skip
        old = _old_answers(view, task)
        for row in in_order([*held_out, *taught]):
            answers = [text for name in dict.fromkeys((row["key"], row["prompt_key"])) for text in old.get(name, [])]
            stale = [text for text in dict.fromkeys(answers) if text.strip() != answer_of(row).strip()]
            row |= {"example_id": row["record_id"], "old_answers": canonical_json(stale)}
            if keep(row):
                found.append(row)
    return suites.write_suites(out, found)


def _with_content(table: DeltaTable, task: str, rows: Sequence[Row]) -> list[Row]:
    return _filled(rows, _contents(table, [task], rows))


def _contents(table: DeltaTable, tasks: Sequence[str], rows: Sequence[Row]) -> dict[tuple[str, str], Row]:
    """Prompt hash, shape and content by task and id; one content may stand in a table more than once."""
    if not rows:
        return {}
    where = ds.field("task").isin(list(tasks))
    contents = delta.read_ids(table, CONTENT, {row["record_id"] for row in rows}, where).to_pylist()
    return {(row["task"], row["record_id"]): row for row in contents}


def _filled(rows: Sequence[Row], contents: Mapping[tuple[str, str], Row]) -> list[Row]:
    """With their contents, each once."""
    wanted = {row["record_id"]: row for row in rows}
    return [contents[key] | row for name, row in wanted.items() if (key := (row["task"], name)) in contents]


def _old_answers(view: View, task: str) -> dict[str, list[str]]:
    """By key and by prompt: the answers that no longer hold, the newest first."""
    superseded = view.standing(task).superseded
    if not superseded:
        return {}
    taught = [row for row in view.taught(task).to_pylist() if row["record_id"] in superseded]
    examined = [row for row in view.examined.get(task, []) if row["record_id"] in superseded]
    answers: dict[str, list[str]] = {}
    rows = _with_content(view.records, task, taught) + _with_content(view.suites, task, examined)
    for row in sorted(rows, key=lambda row: (row["event_time"], row["ingested_at"]), reverse=True):
        for name in {row["key"], row["prompt_key"]}:
            answers.setdefault(name, []).append(answer_of(row))
    return answers
