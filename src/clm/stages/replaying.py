"""What of the past an update learns again: memories that the champion pins, held batches, and the shares of both.

A task's memory is made after each of its updates and named in its expert's lineage. A release from before there were
memories has none: then all old rows of the updated task may be replayed, of other tasks what they last learned from.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from clm.catalog import service as catalog
from clm.core.content import beginning
from clm.deployment import repository as deployments
from clm.evaluation import repository as score_rows
from clm.evaluation.ledger import ReleaseFact, build_ledger
from clm.ingest import conflicts, dropping, holding
from clm.policies import ModelPolicy, TrainingPolicy
from clm.records import Json, Memory
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.settings import Paths
from clm.store.memory import urgency
from clm.store.memory_file import load_memory
from clm.store.mixture import FEW_ANSWERS, Recall
from clm.store.store import Store
from clm.strategies import replays


@dataclass(frozen=True)
class Past:
    """What a champion knows, and what must not be learned from."""

    lineage: Mapping[str, Json]  # per task: of the expert that was trained last
    slipped: Mapping[str, float]  # per task: best score ever - score under the champion
    held: Collection[str]  # batches
    weights: Mapping[str, float] = field(default_factory=dict[str, float])  # of tasks; 1 where none is told


def past_of(session: Session, paths: Paths, model: str, champion: str) -> Past:
    facts = [ReleaseFact(r.release_id, r.number, r.composition.tasks) for r in registry.list_releases(session, model)]
    ledger = build_ledger(model, score_rows.ledger_rows(session, model), facts, champion)
    slipped = {t.task: t.best - t.current for t in ledger.tasks if t.best is not None and t.current is not None}
    weights = {task.name: task.weight for task in catalog.list_tasks(session, model)}
    return Past(bundles.newest_lineage(paths.releases / champion), slipped, holding.left_out(session, model), weights)


def share_of(policy: TrainingPolicy) -> float:
    """Replayed rows per new row in an update's mixture; infinite: all there are. A repair may ask for more."""
    options: dict[str, Any] = {chosen.name: chosen for chosen in policy.strategies}
    if replays(policy.strategies) == "nothing":
        return 0.0
    if "joint" in options:
        return math.inf
    return options["replay"].share if "replay" in options else policy.replay_share


def recall(past: Past, task: str, policy: ModelPolicy, share: float, memories: Path) -> tuple[float, Recall]:
    """Replayed rows per new row, and what they are drawn from.

    Whose rows those are, the strategies say (`clm.strategies.replays`): what none of them trains on is not drawn.
    """
    whose = replays(policy.training.strategies)
    others = sorted(past.lineage.keys() - {task}) if whose == "adapter" else []
    share = share if whose != "nothing" else 0.0
    own = past.lineage.get(task, {})
    remembered = {other: _remembered(past.lineage[other], memories) for other in others}
    if "memory" in own:
        remembered[task] = _remembered(own, memories)
    usual = policy.training.replay_share
    at_least = policy.training.replay_rows * (max(1.0, share / usual) if usual else 1.0) if share and not others else 0
    return share * (1 + _urgency(past, task, policy)), Recall(
        at_least=round(at_least) if math.isfinite(at_least) else 0,
        by_answer=whose == "task" and not any(chosen.name == "replay" for chosen in policy.training.strategies),
        policy=policy.memory.policy,
        memories=remembered,
        replay_tasks=others,
        shares={name: _share(past, name, policy) for name in (task, *others)},
        held=past.held,
        unseen=own.get("mixture", {}).get("left_out", []),
    )


def budget(past: Past, task: str, policy: ModelPolicy) -> float:
    """Share of the memory's budget that the task gets: by `feedback` from half to all of it."""
    return (1 + _urgency(past, task, policy)) / 2 if policy.memory.policy == "feedback" else 1.0


def contents(session: Session, store: Store, paths: Paths, model: str, task: str | None = None) -> list[Json]:
    """The memories that the model's champion pins, with their rows as they are now in the dataset."""
    champion = deployments.get_deployment(session, model).champion
    held, ruled = holding.left_out(session, model), conflicts.rulings(session, model)
    dropped = set(dropping.dropped_ids(session, model)["dropped"])
    memories: list[Json] = []
    for name, lesson in bundles.newest_lineage(paths.releases / champion).items():
        if "memory" not in lesson or task not in (None, name):
            continue
        pinned = Memory(**lesson["memory"])
        kept = load_memory(paths.memories, pinned.hash)
        there = {row["record_id"]: row for row in store.remembered(model, name, set(kept.record_ids), ruled)}
        rows = [there[record_id] for record_id in kept.record_ids if record_id in there]
        rows = [row for row in rows if row["batch_id"] not in held and row["record_id"] not in dropped]
        memories.append(
            {
                "task": name,
                "policy": pinned.policy,
                "rows": len(rows),
                "most_rows": pinned.most_rows,
                "bytes": sum(row["bytes"] for row in rows),
                "most_bytes": pinned.most_bytes,
                "left_out": pinned.rows - len(rows),  # erased, held out, held or dropped since
                "answers": _few(row["answer"] for row in rows),
                "memory": pinned.hash,
                "contents": [
                    {
                        "record_id": row["record_id"],
                        "answer": row["answer"],
                        "score": kept.losses.get(row["record_id"]),
                        "begins": beginning(row["content"]),
                    }
                    for row in rows
                ],
            }
        )
    return memories


def _few(answers: Iterable[str]) -> dict[str, int]:
    """Rows per answer; nothing where there are too many answers to read."""
    counts = Counter(answers)
    return dict(sorted(counts.items())) if len(counts) <= FEW_ANSWERS else {}


def _remembered(lesson: Json, memories: Path) -> Collection[str]:
    if "memory" in lesson:
        return frozenset(load_memory(memories, lesson["memory"]["hash"]).record_ids)
    return frozenset(lesson["record_ids"])


def _share(past: Past, task: str, policy: ModelPolicy) -> float:
    """Of the replayed rows, against other tasks of the adapter: by `feedback` what slips and what weighs more."""
    if policy.memory.policy != "feedback":
        return 1.0
    return past.weights.get(task, 1.0) * (1 + _urgency(past, task, policy))


def _urgency(past: Past, task: str, policy: ModelPolicy) -> float:
    """0 where the memory's policy does not go by what slips."""
    if policy.memory.policy != "feedback":
        return 0.0
    return urgency(past.slipped.get(task, 0.0), policy.gate.margin)
