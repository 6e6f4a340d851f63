"""What the gate is asked of a candidate: its answers beside the champion's and the best releases', on which terms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clm.catalog.tables import Task
from clm.evaluation import gate
from clm.evaluation.answers import example_scores, held_out
from clm.evaluation.doubt import doubt, doubted
from clm.evaluation.learned import learned_nothing, refused
from clm.evaluation.ledger import Best
from clm.evaluation.protection import protect
from clm.policies import GatePolicy
from clm.records import Evaluation, GateVerdict, Json, Trained
from clm.stages.bests import best_evers


def judged(
    policy: GatePolicy,
    tasks: Sequence[Task],
    evaluations: Mapping[str, Evaluation],
    bests: Mapping[str, Best],
    terms: gate.Terms,
) -> GateVerdict:
    """The gate's verdict, stricter for protected tasks."""
    margins = {t.name: t.margin or policy.margin for t in tasks}
    ours, theirs = (example_scores(Path(evaluations[name].answers)) for name in ("candidate", "champion"))
    verdict = gate.judge(
        ours,
        theirs,
        {t: margins[t] for t in ours},
        policy.confidence,
        best_evers(evaluations, bests, margins, policy),
        policy.early_stop,
        terms,
    )
    return protect(verdict, {t.name for t in tasks if t.protected}, policy.confidence)


def unless_nothing_learned(
    verdict: GateVerdict,
    task: str,
    evaluations: Mapping[str, Evaluation],
    margin: float,
    is_new: bool,
    trained: Trained,
) -> GateVerdict:
    """No pass where nothing of the update's task was learned."""
    ours, theirs = (example_scores(Path(evaluations[name].answers)).get(task, ()) for name in ("candidate", "champion"))
    length: Json = trained.notes.get("length", {})
    return refused(verdict, learned_nothing(task, ours, theirs, margin=margin, is_new=is_new, length=length))


def unless_doubted(
    verdict: GateVerdict, task: str, evaluations: Mapping[str, Evaluation], newest_old: int
) -> GateVerdict:
    """No pass where the rows that the update brought look mislabelled."""
    return doubted(verdict, doubt(task, held_out(Path(evaluations["candidate"].answers), task, newest_old)))


def newest_known_slice(lineage: Mapping[str, Json], task: str) -> int:
    """The newest slice of the task's suite that the champion was examined on; 0: it never learned the task."""
    if task not in lineage:
        return 0
    return int(lineage[task]["snapshot"].get("closed", {}).get(task, 1))  # before there were slices, all was the first
