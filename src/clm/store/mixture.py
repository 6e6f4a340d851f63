"""What an update trains on, and what it is measured on; both from pinned tables, both the same every time."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from clm.core.content import completion, prompt_key
from clm.core.hashing import sha256_json
from clm.errors import ClmError, InvalidInput
from clm.formats.mixture import read_mixture, write_mixture
from clm.records import Json, Mixture, Shape
from clm.store import delta, memory
from clm.store.versions import Standing
from clm.store.view import Row, View

Unfit = Callable[[Shape, Json], str | None]  # why the row can't be used; None: it can
CONTENT = ["record_id", "content_hash", "prompt_hash", "batch_id", "task", "shape", "content"]
REPEATED = 2.0  # new rows per answer, from which answers are classes
FEW_ANSWERS = 20  # as many different answers are counted in an update's record


@dataclass(frozen=True)
class Recall:
    """What of the past may come into a mixture, and what must not.

    `memories` holds per task the record ids that may be replayed; without an entry the updated task's old rows all
    may, another task's may not. `replay_tasks` are other tasks whose rows are replayed too, because they share the
    adapter: the replayed rows are split over the updated task and them by `shares` (a weight each, 1 where not named).
    """

    policy: str = "random"
    memories: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    replay_tasks: Sequence[str] = ()
    shares: Mapping[str, float] = field(default_factory=dict[str, float])
    held: Collection[str] = ()  # batches whose rows are left out
    again: bool = False  # True: the old rows are enough, nothing has to be new
    unseen: Collection[str] = ()  # record ids in `old` that the task's last training left out: they are new
    at_least: int = 0  # rows that are replayed however few are new: few new rows must not outweigh all the others
    by_answer: bool = False  # True: of answers that nothing new has, as many rows each as the new ones have
    unfit: Unfit = lambda _shape, _content: None  # asked of each row before it is taken


def build_mixture(
    view: View,
    old: DeltaTable | None,
    task: str,
    *,
    replay_share: float,
    seed: int,
    to: Path,
    recall: Recall | None = None,
) -> Mixture:
    """Chooses the task's rows that are not in `old`, plus a seeded sample of those that are (replay).

    `old` is `records` as the task's last release saw it; None trains on everything. The sample holds `replay_share`
    rows per new row and `recall.at_least` at the least, as far as there are any. Rows whose prompt stands in any suite
    of the model are left out, and so is what no longer holds or is no longer in the table, whatever a memory says.
    Columns of the Parquet file `to`: record_id, task, shape, content (JSON), origin ("new" | "replay").
    Raises InvalidInput where there is nothing sensible to train on.
    """
    recall = recall or Recall()
    records, standing = view.records, view.standing(task)
    rows = in_order(view.taught(task).to_pylist())
    usable = [row for row in rows if row["prompt_key"] not in view.held_out
              and row["record_id"] not in standing.superseded
              and row["record_id"] not in standing.repeated]  # fmt: skip
    out = {row["record_id"] for row in usable if row["record_id"] in view.dropped | standing.undecided}
    dropped = out - standing.undecided
    free = [row for row in usable if row["batch_id"] not in recall.held and row["record_id"] not in out]
    known: set[str] = set() if old is None else delta.values(old, "record_id", delta.of_task(task))
    seen = known.difference(recall.unseen)
    fresh = [row["record_id"] for row in free if row["record_id"] not in seen]
    if not fresh and not recall.again:
        undecided, held = len(out) - len(dropped), len(usable) - len(free) - len(out)
        raise InvalidInput(_nothing_new(task, len(rows), len(usable), held, len(dropped), undecided))
    may = recall.memories.get(task)
    old_ids = [row["record_id"] for row in free if row["record_id"] in seen]
    pools = {task: _rows(records, task, old_ids if may is None else [one for one in old_ids if one in may])}
    unfit: dict[str, str] = {}
    new = _fit([row | {"origin": "new"} for row in _rows(records, task, fresh)], recall, unfit)
    if not new and not (recall.again and not fresh):
        raise InvalidInput(_all_unfit(task, unfit))
    for other in recall.replay_tasks:
        pools[other] = remembered(view, other, recall.memories.get(other, ()), recall.held)
    count = math.inf if recall.again else max(replay_share * len(new), recall.at_least)
    if recall.by_answer:
        count = max(count, _of_other_answers(new, pools[task]))
    replay = _fit(_replay(pools, count, recall, _lot(seed, new)), recall, unfit)
    chosen = new + sorted(replay, key=lambda row: (row["task"], row["record_id"]))
    _check_varied(task, chosen)
    write_mixture(to, chosen)
    _check_held_out(to, view)
    return Mixture(
        task=task,
        path=str(to),
        new_rows=len(new),
        replay_rows=len(replay),
        held_out=sum(row["prompt_key"] in view.held_out for row in rows),
        content_hash=sha256_json([[row["record_id"], row["origin"]] for row in chosen]),
        record_ids=tuple(row["record_id"] for row in chosen),
        batches=dict(sorted(Counter(row["batch_id"] for row in new).items())),
        replayed=dict(sorted(Counter(row["task"] for row in replay).items())),
        answers=_balance(chosen),
        memory_policy=recall.policy,
        memory_rows=None if may is None else len(pools[task]),
        changed=_changed(rows, seen, standing, fresh),
        left_out=tuple(
            row["record_id"]
            for row in usable
            if row["batch_id"] in recall.held or row["record_id"] in out or row["record_id"] in unfit
        ),
        superseded=sum(row["record_id"] in standing.superseded for row in rows),
        undecided=len(out) - len(dropped),
        dropped=tuple(sorted(dropped)),
        unfit=dict(sorted(unfit.items())),
    )


def _changed(rows: Sequence[Row], seen: Collection[str], standing: Standing, fresh: Collection[str]) -> tuple[str, ...]:
    """New rows whose key had another answer, which was taught before."""
    old = {name for row in rows if row["record_id"] in standing.superseded and row["record_id"] in seen
           for name in (row["key"], row["prompt_key"])}  # fmt: skip
    new = set(fresh)
    return tuple(row["record_id"] for row in rows if row["record_id"] in new and {row["key"], row["prompt_key"]} & old)


def _fit(rows: list[Row], recall: Recall, unfit: dict[str, str]) -> list[Row]:
    """The rows that can be trained on; why the others can't is added to `unfit`."""
    for row in rows:
        reason = recall.unfit(row["shape"], json.loads(row["content"]))
        if reason is not None:
            unfit[row["record_id"]] = reason
    return [row for row in rows if row["record_id"] not in unfit]


def remembered(view: View, task: str, record_ids: Collection[str], held: Collection[str]) -> list[Row]:
    """A task's rows with these ids that still are in the table and hold, are not held, and stand in no suite."""
    wanted = set(record_ids) - view.dropped
    usable = {row["record_id"] for row in view.usable(task) if row["batch_id"] not in held}
    return _rows(view.records, task, wanted & usable)


def _rows(records: DeltaTable, task: str, record_ids: Collection[str]) -> list[Row]:
    """Only these are made Python objects of: a table may hold a thousand times as many."""
    return in_order(delta.read_ids(records, CONTENT, record_ids, delta.of_task(task)).to_pylist())


def answer_of(row: Row) -> str:
    return completion(row["shape"], json.loads(row["content"]))


def as_rows(rows: Sequence[Row], **scores: Any) -> memory.Rows:
    """The rows as a memory policy looks at them."""
    sizes = [len(row["content"].encode()) for row in rows]
    return memory.Rows([row["record_id"] for row in rows], [answer_of(row) for row in rows], sizes, **scores)


def _replay(pools: Mapping[str, list[Row]], count: float, recall: Recall, lot: str) -> list[Row]:
    weights = {task: recall.shares.get(task, 1.0) for task in pools}
    counts = memory.split(count, weights, {task: len(pool) for task, pool in pools.items()})
    return [
        pool[index] | {"origin": "replay"}
        for task, pool in pools.items()
        for index in memory.draw(recall.policy, as_rows(pool), counts[task], lot)
    ]


def _of_other_answers(new: Sequence[Row], pool: Sequence[Row]) -> float:
    """Rows of a pool that keep its answers even with the new ones, where these repeat; else new classes drown old."""
    now = Counter(map(answer_of, new))
    others = {answer_of(row) for row in pool} - now.keys()
    each = len(new) / max(1, len(now))
    return each * len(others) if each >= REPEATED else 0.0


def _lot(seed: int, new: list[Row]) -> str:
    """Another one for every update, so that in time all of a memory is replayed."""
    return sha256_json([seed, [row["record_id"] for row in new]])


def _balance(rows: list[Row]) -> dict[str, list[int]]:
    """Per answer how many rows are new and how many replayed; nothing where there are too many answers to read."""
    counts: dict[str, list[int]] = {}
    for row in rows:
        counts.setdefault(answer_of(row), [0, 0])[row["origin"] == "replay"] += 1
        if len(counts) > FEW_ANSWERS:
            return {}
    return {answer: counts[answer] for answer in sorted(counts) if len(answer) <= 200}


def in_order(rows: Iterable[Row]) -> list[Row]:
    """By content hash: an order that doesn't depend on how the rows lie in files."""
    return sorted(rows, key=lambda row: row["content_hash"])


def _all_unfit(task: str, unfit: dict[str, str]) -> str:
    record, reason = next(iter(sorted(unfit.items())))
    return (
        f"None of the {len(unfit)} new rows of task {task!r} can be trained on, so nothing is left to learn. "
        f"The first: {record}: {reason}"
    )


def _nothing_new(task: str, rows: int, usable: int, held: int, dropped: int, undecided: int) -> str:
    if not rows:
        return f"Task {task!r} has no training rows. Bring some: clm ingest FILE --task {task}."
    if not usable:
        return f"All {rows} training rows of task {task!r} stand in a suite too. Bring rows that are not held out."
    if undecided:
        return (
            f"The {undecided} new rows of task {task!r} contradict others, and a person has to say which are right: "
            "`clm data conflicts` shows both answers, `clm data resolve` decides."
        )
    if held:
        return (
            f"All {held} new rows of task {task!r} are held: the gate rejected what was learned from them. "
            "`clm data held list` shows them; release them to try again, or bring other rows."
        )
    if dropped and dropped == usable:
        return f"All {dropped} rows of task {task!r} were dropped. Bring others, or take it back: clm data drop --undo."
    return f"Task {task!r} has no new rows since its last release: there is nothing to learn. Bring some first."


def _check_varied(task: str, rows: list[Row]) -> None:
    answers = {answer_of(row) for row in rows}
    if len(rows) > 1 and len(answers) == 1:
        raise InvalidInput(
            f"All {len(rows)} rows of task {task!r} have the same answer ({next(iter(answers))[:60]!r}): a model would "
            "learn to say it always. Bring rows with other answers, or replay older ones (replay_share)."
        )


def _check_held_out(mixture: Path, view: View) -> None:
    """The last look before training: hashes both sides again, from the content as it was written."""
    superseded = {old for task in view.examined for old in view.standing(task).superseded}
    held_out = delta.read(view.suites, ["record_id", "shape", "content", "kind"]).to_pylist()
    taught = {prompt_key(row.shape, row.content) for row in read_mixture(mixture)}
    leaked = taught & _prompts(
        row for row in held_out if row["kind"] != "recall" and row["record_id"] not in superseded
    )
    if leaked:
        mixture.unlink()
        raise ClmError(
            f"{len(leaked)} held-out prompts reached the training mixture; it was dropped and nothing was trained. "
            "The stored prompt hashes don't match the content: check the data folder against a backup."
        )


def _prompts(rows: Iterable[Row]) -> set[str]:
    return {prompt_key(row["shape"], json.loads(row["content"])) for row in rows}
