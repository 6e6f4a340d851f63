"""The chain of versions of what rows say: for people, and for a delivery that is compared with it."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clm.core.content import completion, question
from clm.facts import Known, Stored
from clm.store import delta
from clm.store.view import Row, View, among

_COLUMNS = ["record_id", "shape", "content", "source", "author"]


def known(view: View, task: str, prompts: Collection[str], keys: Collection[str], batch_id: str) -> Known:
    """What is stored of these prompt keys and keys, without what this batch brought itself."""
    rows = [row for row in _about(view, task, {*prompts, *keys}) if row["batch_id"] != batch_id]
    standing, taught = view.standing(task), view.taught(task).select(["record_id", "answer_key", "batch_id"])
    out = pa.array([*standing.superseded, *standing.undecided, *standing.repeated, *view.dropped], pa.string())
    foreign = pc.call_function("not_equal", [taught["batch_id"], pa.scalar(batch_id)])
    holds = pc.call_function("and", [foreign, pc.call_function("invert", [among(taught["record_id"], out)])])
    counted = taught.filter(holds)["answer_key"].value_counts().to_pylist()
    exams = view.suite_labels.select(["record_id", "task", "prompt_key", "batch_id", "kind"])
    asked = exams.filter(among(exams["prompt_key"], pa.array(list(prompts), pa.string()))).to_pylist()
    mine = exams.filter(pc.call_function("equal", [exams["batch_id"], pa.scalar(batch_id)])).to_pylist()
    return Known(
        tuple(_stored(view, task, rows)),
        {count["values"]: count["counts"] for count in counted},
        frozenset(row["prompt_key"] for row in asked if row["task"] != task and row["kind"] != "recall"),
        frozenset(row["record_id"] for row in mine if row["task"] == task) or None,
    )


def neighbours(view: View, task: str, answers: Collection[str]) -> Iterator[tuple[str, str, bool, str]]:
    """Prompt key, answer key, whether held out, and prompt: of each row that holds and gives one of the answers."""
    standing, asked = view.standing(task), pa.array(list(answers), pa.string())
    for held_out, table in ((False, view.records), (True, view.suites)):
        labels = view.labels_of(task, held_out)
        alike = labels.filter(among(labels["answer_key"], asked)).to_pylist()
        wanted = {row["record_id"]: row for row in alike
                  if row["kind"] != "recall" and standing.holds(row["record_id"])}  # fmt: skip
        if not wanted:
            continue
        for stored in delta.read_ids(table, ["record_id", "shape", "content"], wanted, delta.of_task(task)).to_pylist():
            row = wanted[stored["record_id"]]
            yield (row["prompt_key"], row["answer_key"], held_out,
                   question(stored["shape"], json.loads(stored["content"])))  # fmt: skip


def history(view: View, tasks: Sequence[str], names: Collection[str]) -> list[Stored]:
    """All versions of these keys, prompt keys or records' keys, in every task, oldest first."""
    versions: list[Stored] = []
    for task in tasks:
        meant = _about(view, task, set(names))
        asked = {*names, *(name for row in meant for name in (row["key"], row["prompt_key"]))}
        versions += _stored(view, task, _about(view, task, asked))
    return sorted(versions, key=lambda row: (row.task, row.event_time, row.ingested_at, row.record_id))


def _about(view: View, task: str, names: set[str]) -> list[Row]:
    """Labels of the rows with one of these as their key, prompt key or record id."""
    asked, rows = pa.array(sorted(names), pa.string()), list[Row]()
    for held_out in (False, True):
        labels = view.labels_of(task, held_out)
        meant = [among(labels[column], asked) for column in ("key", "prompt_key", "record_id")]
        chosen = pc.call_function("or", [pc.call_function("or", meant[:2]), meant[2]])
        rows += [row | {"held_out": held_out} for row in labels.filter(chosen).to_pylist()]
    return rows


def _stored(view: View, task: str, rows: Sequence[Row]) -> list[Stored]:
    standing = view.standing(task)
    versions: list[Stored] = []
    for held_out, table in ((False, view.records), (True, view.suites)):
        side = [row for row in rows if row["held_out"] == held_out]
        ids = {row["record_id"] for row in side}
        stored = delta.read_ids(table, _COLUMNS, ids, delta.of_task(task)).to_pylist() if ids else []
        contents: dict[str, Any] = {row["record_id"]: row for row in stored}
        for row in side:
            more = contents[row["record_id"]]
            content = json.loads(more["content"])
            by = standing.superseded.get(row["record_id"])
            state = "superseded" if by else "undecided" if row["record_id"] in standing.undecided else "holds"
            versions.append(
                Stored(
                    row["record_id"],
                    task,
                    row["key"],
                    row["prompt_key"],
                    row["answer_key"],
                    row["content_hash"],
                    question(more["shape"], content),
                    completion(more["shape"], content),
                    row["event_time"],
                    row["ingested_at"],
                    more["source"],
                    row["batch_id"],
                    more["author"],
                    held_out,
                    row["kind"],
                    row["slice"],
                    state,
                    by,
                )
            )
    return versions
