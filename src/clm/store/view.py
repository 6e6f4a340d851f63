"""A model's two tables as they are to be read: what holds, what is held out, and what waits for a person."""

# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import json
from collections.abc import Collection, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable

from clm.core.content import answer_key, prompt_key
from clm.facts import Ruling
from clm.store import delta
from clm.store.versions import Standing, Version, stand

Row = dict[str, Any]
LABELS = [
    "record_id", "task", "content_hash", "batch_id", "key", "prompt_key", "answer_key", "event_time", "ingested_at",
    "slice", "kind", "held",
]  # fmt: skip


def labels(table: DeltaTable, where: ds.Expression | None = None) -> pa.Table:
    """What rows are chosen by. Rows from before there were keys get them here, from their content."""
    rows_read = delta.read(table, LABELS, where)
    if rows_read["prompt_key"].null_count:
        rows = delta.read(table, [*LABELS, "shape", "content"], where).to_pylist()
        return pa.Table.from_pylist([_filled(row) for row in rows], schema=rows_read.schema)
    return rows_read


class View:
    """Both tables, at a version each, with what people have said about single rows."""

    def __init__(
        self,
        records: DeltaTable,
        suites: DeltaTable,
        *,
        rulings: Sequence[Ruling] = (),
        dropped: Collection[str] = (),
        dropped_examples: Collection[str] = (),
    ) -> None:
        self.records = records
        self.suites = suites
        self.rulings = rulings
        self.dropped = frozenset(dropped)
        self.dropped_examples = frozenset(dropped_examples)
        self._taught: dict[str, pa.Table] = {}
        self._standing: dict[str, Standing] = {}

    @cached_property
    def suite_labels(self) -> pa.Table:
        """Labels of all suite rows of all tasks, superseded and dropped ones too."""
        return labels(self.suites)

    @cached_property
    def examined(self) -> dict[str, list[Row]]:
        """The same as rows, by task."""
        examined: dict[str, list[Row]] = {}
        for row in self.suite_labels.to_pylist():
            examined.setdefault(row["task"], []).append(row)
        return examined

    def labels_of(self, task: str, held_out: bool) -> pa.Table:
        """Labels of the task's rows on one side of the held-out line."""
        if not held_out:
            return self.taught(task)
        return self.suite_labels.filter(pc.call_function("equal", [self.suite_labels["task"], pa.scalar(task)]))

    def taught(self, task: str) -> pa.Table:
        """Labels of all training rows of a task."""
        self._read([task])
        return self._taught[task]

    def standing(self, task: str) -> Standing:
        """What holds among the task's rows on both sides. Dropped rows say nothing."""
        self._stand([task])
        return self._standing[task]

    def exam(self, task: str) -> list[Row]:
        """Labels of the suite rows that examine a task now, before old slices are thinned."""
        standing = self.standing(task)
        rows = self.examined.get(task, [])
        return [row for row in rows if standing.holds(row["record_id"])
                and row["record_id"] not in self.dropped_examples]  # fmt: skip

    @cached_property
    def held_out(self) -> frozenset[str]:
        """Prompt keys that no task may train on: all that ever were held out, but those that a newer row teaches.

        What is asked as recall is taught.
        """
        prompts: set[str] = set()
        self._stand(list(self.examined))
        for task, rows in self.examined.items():
            superseded = self.standing(task).superseded
            prompts.update(row["prompt_key"] for row in rows
                           if row["kind"] != "recall" and row["record_id"] not in superseded)  # fmt: skip
        return frozenset(prompts)

    def usable(self, task: str) -> list[Row]:
        """Labels of the training rows that hold and are not held out; held batches are the caller's to leave out."""
        standing, held_out = self.standing(task), self.held_out
        return [row for row in self.taught(task).to_pylist()
                if row["prompt_key"] not in held_out and standing.holds(row["record_id"])]  # fmt: skip

    def trainable(self, task: str, batches: Collection[str]) -> int:
        """How many training rows of these batches an update could learn from now."""
        return sum(row["batch_id"] in batches and row["record_id"] not in self.dropped for row in self.usable(task))

    def _read(self, tasks: Sequence[str]) -> None:
        """The tasks' training labels, in one go: what reading one takes is mostly the same for all."""
        missing = [task for task in tasks if task not in self._taught]
        if len(missing) == 1:
            self._taught[missing[0]] = labels(self.records, delta.of_task(missing[0]))
        elif missing:
            read = labels(self.records, ds.field("task").isin(missing))
            for task in missing:
                self._taught[task] = read.filter(pc.call_function("equal", [read["task"], pa.scalar(task)]))

    def _stand(self, tasks: Sequence[str]) -> None:
        missing = [task for task in tasks if task not in self._standing]
        if not missing:
            return
        self._read(missing)
        contested: dict[str, list[Row]] = {task: [] for task in missing}
        for row in self._contested(missing):
            contested[row["task"]].append(row)
        for task, rows in contested.items():
            self._standing[task] = stand([version(row) for row in rows], self.rulings)

    def _contested(self, tasks: Sequence[str]) -> list[Row]:
        """The rows whose key or prompt has more than one answer within its task, and those that a person is or was
        asked about."""
        sides = [self._taught[task] for task in tasks]
        examined = among(self.suite_labels["task"], pa.array(tasks, pa.string()))
        both = pa.concat_tables([*sides, self.suite_labels.filter(examined).cast(sides[0].schema)])
        chosen = pa.array([False] * both.num_rows, pa.bool_())
        for column, of in (("key", "answer_key"), ("prompt_key", "answer_key"), ("content_hash", "record_id")):
            chosen = pc.call_function("or", [chosen, _several(both, column, of)])
        ruled = [name for ruling in self.rulings for name in (*ruling.wins, *ruling.loses)]
        chosen = pc.call_function("or", [chosen, among(both["record_id"], pa.array(ruled, pa.string()))])
        chosen = pc.call_function("or", [chosen, pc.call_function("coalesce", [both["held"], pa.scalar(False)])])
        out = self.dropped | self.dropped_examples
        return [row for row in both.filter(chosen).to_pylist() if row["record_id"] not in out]


def _several(rows: pa.Table, column: str, of: str) -> Any:
    """Of each row whether its task has several `of` with the same `column`."""
    named = pc.call_function("binary_join_element_wise", [rows["task"], rows[column], pa.scalar("\n")])
    pairs = pa.table({"name": named, "of": rows[of]})
    counted = pairs.group_by("name").aggregate([("of", "count_distinct")])
    several = counted.filter(pc.call_function("greater", [counted["of_count_distinct"], 1]))["name"]
    return among(named, several)


def version(row: Row) -> Version:
    return Version(row["record_id"], row["key"], row["prompt_key"], row["answer_key"], row["event_time"],
                   row["ingested_at"], bool(row["held"]), f"{row['content_hash']} {row['kind'] is None}")  # fmt: skip


def among(column: Any, wanted: Any) -> Any:
    if isinstance(wanted, pa.ChunkedArray):
        wanted = wanted.combine_chunks()
    return pc.call_function("is_in", [column], pc.SetLookupOptions(wanted.cast(column.type)))


def _filled(row: Row) -> Row:
    if row["prompt_key"] is not None:
        return row
    content = json.loads(row["content"])
    asked = prompt_key(row["shape"], content)
    return row | {"key": row["key"] or asked, "prompt_key": asked, "answer_key": answer_key(row["shape"], content)}
