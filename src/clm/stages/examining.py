"""What examines the tasks of an update beside what was held out: taught prompts, asked again."""

from collections.abc import Collection, Iterable, Mapping

from clm.catalog.tables import Task
from clm.errors import InvalidInput
from clm.policies import SuitePolicy
from clm.records import Json, Snapshot
from clm.store.exam import Recalled


def recall_of(
    tasks: Iterable[Task],
    learns: str,
    snapshot: Snapshot,
    lineage: Mapping[str, Json],
    policy: SuitePolicy,
    held: Collection[str],
) -> list[Recalled]:
    """Per task what is asked of its taught prompts. `learns` is the task that the update teaches ("": none).

    A task that says so, and one that has no held-out rows, is examined by a sample of what it was taught. Of the task
    that learns, changed answers are always asked. Raises InvalidInput for a task that could be examined by nothing.
    """
    plans: list[Recalled] = []
    for task in tasks:
        examined = bool(snapshot.suites.get(task.name))
        by_recall = task.exam == "recall" or (task.exam == "auto" and not examined)
        if not examined and not (by_recall and policy.recall):
            raise InvalidInput(no_suite(task.name))
        if by_recall or task.name == learns:
            plans.append(_plan(task.name, learns, snapshot, lineage, policy.recall if by_recall else 0, held))
    return plans


def no_suite(task: str) -> str:
    return (
        f"Task {task!r} has no suite, so nothing could show what an update does to it. Bring held-out rows (clm ingest "
        f"FILE --task {task} --suite), or let what it was taught be asked again: clm task edit {task} --exam auto."
    )


def _plan(
    task: str, learns: str, snapshot: Snapshot, lineage: Mapping[str, Json], sample: int, held: Collection[str]
) -> Recalled:
    lesson = lineage.get(task)
    seen = lesson["snapshot"] if lesson else {}
    return Recalled(
        task=task,
        sample=sample,
        since=seen["tables"]["records"] if lesson else None,
        learns=task == learns,
        closed=max(1, snapshot.closed.get(task, 1)),
        before=max(1, seen.get("closed", {}).get(task, 1)),
        held=held,
        unseen=lesson.get("mixture", {}).get("left_out", ()) if lesson else (),
    )
