"""Stage *gate*: compares candidate and champion pair by pair. The decision is `clm.evaluation.gate`'s."""

from dataclasses import replace

from clm.catalog import service as catalog
from clm.evaluation.gate import Handed, Terms
from clm.records import Evaluation, GateVerdict, Trained
from clm.registry import bundle as bundles
from clm.stages.bests import bests_of
from clm.stages.context import Context
from clm.stages.judging import judged, newest_known_slice, unless_doubted, unless_nothing_learned
from clm.stages.outcome import Done
from clm.stages.repairs_left import kinds_of_tries
from clm.updates import service as updates


def decide(at: Context, trained: Trained, evaluations: dict[str, Evaluation]) -> Done[GateVerdict]:
    verdict = judge(at, trained, evaluations)
    with at.database.transaction() as session:
        updates.get_update(session, at.update_id).verdict = updates.verdict_to_json(verdict)
    return verdict, {"verdict": verdict.verdict, "reason": verdict.reason}, f"{verdict.verdict}: {verdict.reason}"


def judge(at: Context, trained: Trained, evaluations: dict[str, Evaluation], is_try: bool = False) -> GateVerdict:
    """`is_try`: of a repair, for which little of the error rate is left."""
    policy = at.policy.gate
    with at.database.read() as session:
        tasks = catalog.list_tasks(session, at.model, removed=True)
        bests = bests_of(session, at.model, at.champion, at.paths.releases)
    terms = Terms(
        tries=kinds_of_tries(at.policy, refreshes=at.start is not None and not at.removes),
        is_try=is_try,
        legacy=known_slices(at),
        handed={task: Handed(*counts) for task, counts in trained.notes.get("handed", {}).items()},
        require_gain=policy.require_gain and not at.consolidates,
        weights={t.name: t.weight for t in tasks},
        overall_margin=policy.overall_margin or policy.margin,
    )
    verdict = judged(policy, tasks, evaluations, bests, terms)
    trouble = evaluations["candidate"].judge_trouble
    if trouble and verdict.verdict != "pass":
        return replace(verdict, reason=f"{verdict.reason} {trouble}")
    if at.removes or at.consolidates or not policy.require_gain:
        return verdict
    margin = next((t.margin for t in tasks if t.name == at.task), None) or policy.margin
    is_new = at.task not in at.champion.composition.tasks
    verdict = unless_nothing_learned(verdict, at.task, evaluations, margin, is_new, trained)
    return unless_doubted(verdict, at.task, evaluations, terms.legacy[at.task])


def known_slices(at: Context) -> dict[str, int]:
    """The newest slice of the updated task's suite that the champion was examined on; what is above is new."""
    lineage = bundles.newest_lineage(at.champion_folder)
    return {} if at.removes else {at.task: newest_known_slice(lineage, at.task)}
