"""What differs between two releases. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clm.records import Json

ChangeName = Literal["added", "removed", "changed", "same"]


@dataclass(frozen=True)
class ExpertChange:
    task: str
    change: ChangeName
    before: str | None  # expert hash
    after: str | None
    records_added: int  # rows that the newer expert was trained on and the older was not
    records_removed: int


@dataclass(frozen=True)
class ValueChange:
    name: str  # dotted, such as "policy.training.epochs"
    before: Any
    after: Any


@dataclass(frozen=True)
class ScoreChange:
    task: str
    metric: str | None
    before: float | None
    after: float | None
    difference: float | None  # after - before, where both were scored on the same suite


@dataclass(frozen=True)
class Comparison:
    before: str  # release ids
    after: str
    base_changed: bool
    router_changed: bool
    experts: tuple[ExpertChange, ...]
    config: tuple[ValueChange, ...]  # generation defaults and policy
    data: tuple[ValueChange, ...]  # snapshot: versions, counts, suites
    scores: tuple[ScoreChange, ...]


def compare(
    before: str, after: str, manifests: tuple[Json, Json], lineages: tuple[Mapping[str, Json], Mapping[str, Json]]
) -> Comparison:
    """Of two manifests and their experts' lineages (see clm.registry.bundle), each as (before, after)."""
    old, new = manifests
    return Comparison(
        before=before,
        after=after,
        base_changed=old["base"]["hash"] != new["base"]["hash"],
        router_changed=(old["router"] or {}).get("hash") != (new["router"] or {}).get("hash"),
        experts=tuple(_experts(old, new, *lineages)),
        config=(*_values("generation", old, new), *_values("policy", old["lineage"], new["lineage"])),
        data=tuple(_values("snapshot", old["lineage"], new["lineage"])),
        scores=tuple(_scores(old["lineage"].get("scores", {}), new["lineage"].get("scores", {}))),
    )


def _experts(
    old: Json, new: Json, old_made: Mapping[str, Json], new_made: Mapping[str, Json]
) -> Iterator[ExpertChange]:
    for task in sorted(old["experts"].keys() | new["experts"].keys()):
        before, after = (manifest["experts"].get(task, {}).get("hash") for manifest in (old, new))
        rows_before, rows_after = (set(lessons.get(task, {}).get("record_ids", ())) for lessons in (old_made, new_made))
        yield ExpertChange(
            task=task,
            change=_change(before, after),
            before=before,
            after=after,
            records_added=len(rows_after - rows_before),
            records_removed=len(rows_before - rows_after),
        )


def _change(before: str | None, after: str | None) -> ChangeName:
    if before == after:
        return "same"
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _values(name: str, old: Json, new: Json) -> Iterator[ValueChange]:
    before, after = dict(_flat(name, old.get(name, {}))), dict(_flat(name, new.get(name, {})))
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield ValueChange(key, before.get(key), after.get(key))


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}", item)
    else:
        yield name, value


def _scores(old: Json, new: Json) -> Iterator[ScoreChange]:
    for task in sorted(old.keys() | new.keys()):
        before, after = old.get(task, {}), new.get(task, {})
        comparable = bool(before and after) and all(before.get(k) == after.get(k) for k in ("suite_hash", "metric"))
        yield ScoreChange(
            task=task,
            metric=(after or before).get("metric"),
            before=before.get("score"),
            after=after.get("score"),
            difference=after["score"] - before["score"] if comparable else None,
        )
