"""What follows where the gate said no, and no repair helped. The champion stays."""

from clm.core.caller import WORKER
from clm.evaluation import repository as score_rows
from clm.ingest import holding
from clm.records import Judged
from clm.stages import repair_plan
from clm.stages.context import Context
from clm.stages.gate import known_slices
from clm.updates import log
from clm.updates import service as updates


def reject(at: Context, candidate: Judged) -> str:
    verdict = candidate.verdict
    state = "rejected" if verdict.verdict == "fail" else "inconclusive"
    known = known_slices(at)
    with at.database.transaction() as session:
        update = updates.get_update(session, at.update_id)
        scores = candidate.evaluations["candidate"].scores
        score_rows.save_scores(session, at.model, at.update_id, None, scores, known)
        tries = f" {repair_plan.story(at.task, candidate.tries)}" if candidate.tries else ""
        # Where nothing was lost, as after an inconclusive gate, nothing is known to be wrong with the rows.
        if state == "rejected" and not verdict.learned_nothing:
            holding.hold(session, WORKER, update_id=at.update_id, model=at.model, task=at.task,
                         batches=candidate.mixture.batches, reason=verdict.reason)  # fmt: skip
        updates.finish(session, WORKER, update, state, verdict.reason + tries)
    log.write(at.folder, None, f"{state}; the champion stays.", "warning")
    return state
