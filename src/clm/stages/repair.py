"""Stage *repair*, before a rejection: tries to save an update that the gate did not let pass, as `repair_plan` decides.

Each try has a folder of its own. After a crash the tries that had ended are read again from their jobs' results, so
the same decisions follow and the end is the same.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from clm.core import failpoints
from clm.errors import Cancelled, ClmError, InvalidInput
from clm.jobs.job import Stored
from clm.jobs.training import InterpolationJob
from clm.llm.router import load_router, save_router
from clm.records import Judged, Mixture, RepairTry, Snapshot, Trained, kept_try, task_of
from clm.stages import jobs, repair_plan
from clm.stages.compositions import composition_with, scores_of
from clm.stages.context import Context
from clm.stages.evaluate import evaluate
from clm.stages.gate import judge
from clm.stages.mixture import mix
from clm.stages.outcome import Done
from clm.stages.repairs_left import repairs_left
from clm.stages.replaying import share_of
from clm.stages.train import replaced, train, without_growing
from clm.updates import log
from clm.updates import service as updates


@dataclass(frozen=True)
class _Tried:
    outcome: RepairTry
    candidate: Judged | None  # None: nothing came of it


def possible(at: Context, candidate: Judged) -> bool:
    if at.removes:  # nothing was trained, so there is no way back to search and nothing to replay
        return False
    return repair_plan.worth_repairing(candidate.verdict) and _next(at, candidate, []) is not None


def repair(at: Context, snapshot: Snapshot, candidate: Judged) -> Done[Judged]:
    """The candidate that passed, or the one that failed; both with all tries."""
    tried: list[_Tried] = []
    while (attempt := _next(at, candidate, tried)) is not None:
        tried.append(_try(at, snapshot, candidate, attempt, tried))
        failpoints.hit("repair.tried")
        _keep(at, tried)
    tries = tuple(one.outcome for one in tried)
    kept = kept_try(tries)
    repaired = replace((tried[kept].candidate if kept is not None else None) or candidate, tries=tries)
    story = repair_plan.story(at.task, tries)
    with at.database.transaction() as session:
        updates.get_update(session, at.update_id).verdict = updates.verdict_to_json(repaired.verdict)
    return repaired, {"verdict": repaired.verdict.verdict, "tries": len(tries), "reason": story}, story


def _next(at: Context, failed: Judged, tried: list[_Tried]) -> repair_plan.Attempt | None:
    """There is no way to search where no expert's place is taken, and nothing more to replay where one expert was
    made of several."""
    refreshes = at.start is not None and not at.removes
    left, share = repairs_left(at.policy), share_of(at.policy.training)
    if replaced(at, failed.trained) is None:
        left = left.model_copy(update={"interpolate": False})
    if at.consolidates:
        left = left.model_copy(update={"replay_tries": 0})
    by_route = left.route_tries > 0 and repair_plan.lost_by_route(failed.verdict, (at.task, *at.mates))
    return repair_plan.next_try(left, share, refreshes, [one.outcome for one in tried], by_route)


def _try(at: Context, snapshot: Snapshot, failed: Judged, attempt: repair_plan.Attempt, before: list[_Tried]) -> _Tried:
    folder = repair_plan.folder_of(at.folder, len(before))
    outcome = repair_plan.begun(attempt)
    try:
        mixture, trained = _other(at, snapshot, failed, attempt, folder, before)
        evaluations = evaluate(at, snapshot, trained, folder / "evaluate")
    except Cancelled:
        raise
    except ClmError as error:  # a repair that can't be done must not hide the gate's verdict
        return _Tried(replace(outcome, reason=error.sentence), None)
    verdict = judge(at, trained, evaluations, is_try=True)
    outcome = replace(
        outcome,
        expert_hash=trained.expert_hash,
        scores=scores_of(evaluations)["candidate"],
        gain=next((task.difference for task in verdict.tasks if task.task == at.task), None),
        verdict=verdict.verdict,
        reason=verdict.reason,
        no_loss=all(task.passed_by for task in verdict.tasks),
    )
    return _Tried(outcome, Judged(mixture, trained, evaluations, verdict))


def _other(
    at: Context, snapshot: Snapshot, failed: Judged, attempt: repair_plan.Attempt, folder: Path, before: list[_Tried]
) -> tuple[Mixture, Trained]:
    """Another candidate than the one that failed, and what it learned from."""
    if isinstance(attempt, repair_plan.Interpolate):
        return failed.mixture, _interpolate(at, failed.trained, attempt.step, folder)
    if isinstance(attempt, repair_plan.Reroute):
        return failed.mixture, _reroute(at, failed.trained, attempt.handicap)
    known = [failed.mixture, *(one.candidate.mixture for one in before if one.candidate)]
    grew = replaced(at, failed.trained) is None
    mixture = _more_replay(at, snapshot, attempt.share, folder, [] if grew else known)
    # A new part that the gate refused took prompts from others: training the older part again is the repair.
    return mixture, train(without_growing(at), mixture, folder / "train")


def _reroute(at: Context, failed: Trained, handicap: float) -> Trained:
    """The same experts behind a router that finds prompts farther from those of the taught task."""
    router_hash = failed.composition.router_hash
    if router_hash is None:
        raise InvalidInput("There is no router whose decisions could be changed.")
    artifacts = at.paths.artifacts
    router = load_router(artifacts.router(router_hash), router_hash)
    taught = {name for name in router.tasks if task_of(name) in (at.task, *at.mates)}
    handicapped, _ = save_router(router.handicapped(taught, handicap), artifacts.routers)
    return replace(failed, composition=replace(failed.composition, router_hash=handicapped))


def _interpolate(at: Context, new: Trained, step: float, folder: Path) -> Trained:
    """The router stays as it is: it reads the base, not the experts."""
    champion, old = at.champion, replaced(at, new)
    if old is None:
        raise InvalidInput(f"Task {at.task!r} had no expert before, so there is none to interpolate from.")
    artifacts = at.paths.artifacts
    job = InterpolationJob(
        base=champion.base_hash,
        artifacts=artifacts,
        compute=jobs.compute_of(at.installation.settings),
        old=Stored(*champion.experts[old]),
        new=Stored(new.expert_hash, artifacts.expert(new.expert_hash)),
        step=step,
    )
    expert = jobs.run_job(at, job, folder / "interpolate").expert.hash
    names = (new.part or at.task, *at.mates)
    composition = composition_with(champion.composition, expert, new.composition.router_hash, names)
    return replace(new, expert_hash=expert, composition=composition)


def _more_replay(at: Context, snapshot: Snapshot, share: float, folder: Path, known: list[Mixture]) -> Mixture:
    folder.mkdir(parents=True, exist_ok=True)
    mixture = mix(at, snapshot, share, folder / "mixture.parquet")
    if any(mixture.content_hash == one.content_hash for one in known):
        raise InvalidInput(f"There are no more older rows of task {at.task!r} to replay.")
    return mixture


def _keep(at: Context, tried: list[_Tried]) -> None:
    """Shows the tries while they go on. What an attempt before a crash has told already is not told again."""
    tries = [one.outcome for one in tried]
    with at.database.transaction() as session:
        update = updates.get_update(session, at.update_id)
        if len(tries) <= len(update.tries or []):
            return
        update.tries = updates.tries_to_json(tries)
        updates.touch(session, update)
    log.write(at.folder, "repair", repair_plan.sentence(len(tries) - 1, at.task, tries[-1]))
