"""Repair before reject: tries to save an update that the gate did not let pass, as `repair_plan` decides.

Each try has a folder of its own. After a crash the tries that had ended are read again from their jobs' results, so
the same decisions follow and the end is the same.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from clm.core import failpoints
from clm.core.database import Database
from clm.errors import Cancelled, ClmError, InvalidInput
from clm.jobs.job import Stored
from clm.jobs.training import InterpolationJob
from clm.llm.router import load_router, save_router
from clm.orchestration import jobs, log, service
from clm.orchestration import repair_plan as plan
from clm.orchestration.candidates import Candidates, Context
from clm.orchestration.compositions import composition_with, scores_of
from clm.orchestration.repairs_left import repairs_left
from clm.orchestration.replaying import share_of
from clm.records import Judged, Mixture, RepairTry, Snapshot, Trained, task_of
from clm.settings import Settings


@dataclass(frozen=True)
class _Tried:
    told: RepairTry
    candidate: Judged | None  # None: nothing came of it


class Repair:
    def __init__(self, settings: Settings, database: Database, candidates: Candidates) -> None:
        self._settings = settings
        self._database = database
        self._candidates = candidates

    def possible(self, at: Context, candidate: Judged) -> bool:
        if at.removes:  # nothing was trained, so there is no way back to search and nothing to replay
            return False
        return plan.worth_repairing(candidate.verdict) and self._next(at, candidate, []) is not None

    def run(self, at: Context, snapshot: Snapshot, candidate: Judged) -> Judged:
        """The candidate that passed, or the one that failed; both with all tries."""
        tried: list[_Tried] = []
        while (attempt := self._next(at, candidate, tried)) is not None:
            tried.append(self._try(at, snapshot, candidate, attempt, tried))
            failpoints.hit("repair.tried")
            self._keep(at, tried)
        tries = tuple(one.told for one in tried)
        kept = plan.chosen(tries)
        return replace((tried[kept].candidate if kept is not None else None) or candidate, tries=tries)

    def _next(self, at: Context, failed: Judged, tried: list[_Tried]) -> plan.Attempt | None:
        """There is no way to search where no expert's place is taken, and nothing more to replay where one expert was
        made of several."""
        refreshes = at.start is not None and not at.removes
        left, share = repairs_left(at.policy), share_of(at.policy.training)
        if _replaced(at, failed.trained) is None:
            left = left.model_copy(update={"interpolate": False})
        if at.consolidates:
            left = left.model_copy(update={"replay_tries": 0})
        by_route = left.route_tries > 0 and plan.lost_by_route(failed.verdict, (at.task, *at.mates))
        return plan.next_try(left, share, refreshes, [one.told for one in tried], by_route)

    def _try(
        self, at: Context, snapshot: Snapshot, failed: Judged, attempt: plan.Attempt, before: list[_Tried]
    ) -> _Tried:
        folder = plan.folder_of(at.folder, len(before))
        told = plan.begun(attempt)
        try:
            mixture, trained = failed.mixture, failed.trained
            if isinstance(attempt, plan.Interpolate):
                trained = self._interpolate(at, trained, attempt.step, folder)
            elif isinstance(attempt, plan.Reroute):
                trained = self._reroute(at, trained, attempt.handicap)
            else:
                known = [failed.mixture, *(one.candidate.mixture for one in before if one.candidate)]
                grew = _replaced(at, failed.trained) is None
                mixture = self._more_replay(at, snapshot, attempt.share, folder, [] if grew else known)
                trained = self._candidates.train(_without_growing(at), mixture, folder / "train")
            evaluations = self._candidates.evaluate(at, snapshot, trained, folder / "evaluate")
        except Cancelled:
            raise
        except ClmError as error:  # a repair that can't be done must not hide the gate's verdict
            return _Tried(replace(told, reason=error.sentence), None)
        verdict = self._candidates.judge(at, trained, evaluations, is_try=True)
        told = replace(
            told,
            expert_hash=trained.expert_hash,
            scores=scores_of(evaluations)["candidate"],
            gain=next((task.difference for task in verdict.tasks if task.task == at.task), None),
            verdict=verdict.verdict,
            reason=verdict.reason,
            no_loss=all(task.passed_by for task in verdict.tasks),
        )
        return _Tried(told, Judged(mixture, trained, evaluations, verdict))

    def _reroute(self, at: Context, failed: Trained, handicap: float) -> Trained:
        """The same experts behind a router that finds prompts farther from those of the taught task."""
        router_hash = failed.composition.router_hash
        if router_hash is None:
            raise InvalidInput("There is no router whose decisions could be changed.")
        artifacts = self._settings.paths.artifacts
        router = load_router(artifacts.router(router_hash), router_hash)
        taught = {name for name in router.tasks if task_of(name) in (at.task, *at.mates)}
        made, _ = save_router(router.handicapped(taught, handicap), artifacts.routers)
        return replace(failed, composition=replace(failed.composition, router_hash=made))

    def _interpolate(self, at: Context, new: Trained, step: float, folder: Path) -> Trained:
        """The router stays as it is: it reads the base, not the experts."""
        champion = at.champion
        replaced = _replaced(at, new)
        if replaced is None:
            raise InvalidInput(f"Task {at.task!r} had no expert before, so there is none to interpolate from.")
        artifacts = self._settings.paths.artifacts
        job = InterpolationJob(
            base=champion.base_hash,
            artifacts=artifacts,
            compute=jobs.compute_of(self._settings),
            old=Stored(*champion.experts[replaced]),
            new=Stored(new.expert_hash, artifacts.expert(new.expert_hash)),
            step=step,
        )
        made = jobs.run_job(self._settings, self._database, at.update_id, job, folder / "interpolate", at.folder)
        expert = made.expert.hash
        names = (new.part or at.task, *at.mates)
        composition = composition_with(champion.composition, expert, new.composition.router_hash, names)
        return replace(new, expert_hash=expert, composition=composition)

    def _more_replay(
        self, at: Context, snapshot: Snapshot, share: float, folder: Path, known: list[Mixture]
    ) -> Mixture:
        folder.mkdir(parents=True, exist_ok=True)
        mixture = self._candidates.mix(at, snapshot, share, folder / "mixture.parquet")
        if any(mixture.content_hash == one.content_hash for one in known):
            raise InvalidInput(f"There are no more older rows of task {at.task!r} to replay.")
        return mixture

    def _keep(self, at: Context, tried: list[_Tried]) -> None:
        """Shows the tries while they go on. What an attempt before a crash has told already is not told again."""
        tries = [one.told for one in tried]
        with self._database.transaction() as session:
            update = service.get_update(session, at.update_id)
            told = len(update.tries or [])
            if len(tries) <= told:
                return
            update.tries = service.tries_to_json(tries)
            service.touch(session, update)
        log.write(at.folder, "repair", plan.sentence(len(tries) - 1, at.task, tries[-1]))


def _replaced(at: Context, trained: Trained) -> str | None:
    """The released expert that the trained one went on from and takes the place of."""
    if trained.choice is not None:
        return trained.part if trained.choice["kind"] == "refresh" else None
    return at.start


def _without_growing(at: Context) -> Context:
    """A new part that the gate refused took prompts from others: training the older part again is the repair."""
    parts = at.policy.parts.model_copy(update={"grow": "never"})
    return replace(at, policy=at.policy.model_copy(update={"parts": parts}))
