"""The best release that each task ever had, beside the candidate: ten small losses are one large one.

It answers the same examples as the candidate does, whatever the suite was when it was released. Its answers are in
the answer store, so that costs next to nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from clm.evaluation import repository as score_rows
from clm.evaluation.answers import example_scores
from clm.evaluation.gate import BestEver
from clm.evaluation.ledger import Best, ReleaseFact, best_releases
from clm.policies import GatePolicy
from clm.records import Evaluation
from clm.registry import service as registry
from clm.registry.bundle import BundlePaths

PREFIX = "best-"  # of a composition's name in an evaluation
UNTOUCHED = "base"  # the composition without any expert


def best_margin(policy: GatePolicy, margin: float) -> float:
    """The tolerated loss since a task's best release; `margin` is the one against the champion."""
    return policy.best_ever_margin or min(2 * margin, 0.99)


def bests_of(session: Session, model: str, champion: BundlePaths, folder: Path) -> dict[str, Best]:
    """By task, of the releases on the champion's base that still lie in `folder`."""
    on_base = [r for r in registry.list_releases(session, model) if r.composition.base_hash == champion.base_hash]
    there = [r for r in on_base if (folder / r.release_id).exists()]
    facts = [ReleaseFact(r.release_id, r.number, r.composition.tasks) for r in there]
    return best_releases(score_rows.ledger_rows(session, model), facts, champion.release_id)


def save_untouched(session: Session, model: str, evaluations: Mapping[str, Evaluation]) -> None:
    """What the untouched base knew of a new task, in the ledger's row of the release that is just that."""
    bare = next((r for r in reversed(registry.list_releases(session, model)) if not r.composition.experts), None)
    if bare and UNTOUCHED in evaluations and bare.composition == evaluations[UNTOUCHED].composition:
        score_rows.save_scores(session, model, None, bare.release_id, evaluations[UNTOUCHED].scores)


def to_compare(
    bests: Mapping[str, Best], champion: str, margins: Mapping[str, float], policy: GatePolicy
) -> dict[tuple[str, int], list[str]]:
    """Release id and number -> tasks. The champion is compared anyway; rarely is this margin the narrower one."""
    wanted: dict[tuple[str, int], list[str]] = {}
    for task, margin in margins.items():
        best = bests.get(task)
        if best and (best.release_id != champion or best_margin(policy, margin) < margin):
            wanted.setdefault((best.release_id, best.number), []).append(task)
    return wanted


def best_evers(
    evaluations: Mapping[str, Evaluation],
    bests: Mapping[str, Best],
    margins: Mapping[str, float],
    policy: GatePolicy,
) -> dict[str, BestEver]:
    """By task, as the gate takes them."""
    best_of: dict[str, BestEver] = {}
    for name, evaluation in evaluations.items():
        if not name.startswith(PREFIX):
            continue
        answered = example_scores(Path(evaluation.answers))
        for task in evaluation.scores:
            chosen_from = bests[task].chosen_from if task in bests else 1
            margin = best_margin(policy, margins[task])
            best_of[task] = BestEver(name.removeprefix(PREFIX), answered.get(task, []), margin, chosen_from)
    return best_of
