"""Which of a task's experts an update trains: what can be told at once is, the rest is tried."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clm.llm.base import Base
from clm.llm.router import Router, Seen
from clm.policies import PartsPolicy, TrainingPolicy
from clm.records import Json, part_number, task_of
from clm.training.examples import Example
from clm.training.part_trials import try_both
from clm.training.parts import Choice, Known, consolidation, next_name, settled
from clm.training.routing import fit, point_of, see, task_features
from clm.training.seen import MOST_SEEN, task_answers


def choose_part(
    base: Base,
    task: str,
    new: Sequence[Example],
    old: Sequence[Example],
    known: Known,
    training: TrainingPolicy,
    policy: PartsPolicy,
    changed: frozenset[str] = frozenset(),
) -> Choice:
    """How an update of a task that has an expert goes on. `old` are rows of the whole task that may be replayed,
    `changed` are ids of new rows whose key had another answer before. Deterministic in its inputs."""
    parts = known.parts(task)
    router = fit(base, known.seen, training.seed, training.strategies)
    looked_at = _some(new, changed, training.seed)
    fresh = see(base, looked_at, point_of(base, known.seen))
    asked = router.route(fresh.features)
    owners = {name for row, name in zip(looked_at, asked, strict=True) if row.record_id in changed and name in parts}
    if len(owners) > 1:
        return consolidation(task, old, known, "Made one: facts of several parts changed, and what an old part says "
                             "would stay within reach.")  # fmt: skip
    part = next(iter(owners), None) or _nearest(asked, parts, router, fresh)
    known_places = sum(task_of(name) == task for name in asked) / len(asked)
    evidence: Json = {"parts": len(parts), "new_answers": round(_new_answers(fresh, parts, known, old), 4),
                      "elsewhere": round(1 - known_places, 4)}  # fmt: skip
    replay = _answered_by(base, router, old, part, parts)
    refresh = Choice("refresh", part, part, replay, "", evidence=evidence)
    reason = settled(evidence, len(new), len(old), len(changed), policy)
    if reason is not None:
        return replace(refresh, reason=f"Refreshed: {reason}.")
    return try_both(base, new, old, known, training, policy, refresh, next_name(task, parts))


def _some(new: Sequence[Example], changed: frozenset[str], seed: int) -> list[Example]:
    """All that change a fact, and of the others as many as a router learns from."""
    others = [row for row in new if row.record_id not in changed]
    return [*(row for row in new if row.record_id in changed),
            *random.Random(seed).sample(others, min(MOST_SEEN, len(others)))]  # fmt: skip


def _new_answers(fresh: Seen, parts: Sequence[str], known: Known, old: Sequence[Example]) -> float:
    """Share of the new rows whose answer no part was taught, as far as that is remembered."""
    taught = [answers for part in parts if (answers := known.seen[part].answers) is not None]
    if old:
        taught.append(task_answers(old))
    assert fresh.answers is not None  # they were counted just now
    return float(1 - np.isin(fresh.answers, np.concatenate(taught)).mean()) if taught else 0.0


def _nearest(asked: Sequence[str], parts: Sequence[str], router: Router, fresh: Seen) -> str:
    """The part that most of the new prompts reach; where none do, the one that most would reach among the parts."""
    counts = Counter(name for name in asked if name in parts)
    if not counts:
        ranked = router.mix(fresh.features, experts=len(router.tasks))
        counts = Counter(next((name for name, _ in mix if name in parts), parts[0]) for mix in ranked)
    return min(parts, key=lambda name: (-counts[name], part_number(name)))


def _answered_by(
    base: Base, router: Router, old: Sequence[Example], part: str, parts: Sequence[str]
) -> tuple[Example, ...]:
    """Of the remembered rows those that reach the part, and those that reach no part at all."""
    if len(parts) == 1 or not old:
        return tuple(old)
    others = set(parts) - {part}
    routed = router.route(task_features(base, old, router.point))
    return tuple(row for row, name in zip(old, routed, strict=True) if name not in others)
