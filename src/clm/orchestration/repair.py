"""Repair before reject: tries to save an update that the gate did not let pass, as `repair_plan` decides.

Each try has a folder of its own. After a crash the tries that had ended are read again from their jobs' results, so
the same decisions follow and the end is the same.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from clm.core import failpoints
from clm.core.database import Database
from clm.errors import ClmError, InvalidInput
from clm.jobs.job import Stored
from clm.jobs.training import InterpolationJob
from clm.orchestration import jobs, log, service
from clm.orchestration import repair_plan as plan
from clm.orchestration.candidates import Candidates, Context, composition_with, scores_of
from clm.orchestration.replaying import share_of
from clm.policies import ModelPolicy, RepairPolicy
from clm.records import Judged, Mixture, RepairTry, Snapshot, Trained
from clm.settings import Settings
from clm.strategies import replays

# Strategies whose expert does not go on from the old one: the line between the two means nothing.
STARTS_FRESH = ("joint", "olora")


def possible(policy: ModelPolicy) -> RepairPolicy:
    """What the strategies leave of the policy's repairs.

    There is no way to search where a training doesn't go on from the old expert, and no more to replay where nothing
    is replayed, or everything is already.
    """
    chosen = policy.training.strategies
    left = policy.repair
    if any(strategy.name in STARTS_FRESH for strategy in chosen):
        left = left.model_copy(update={"interpolate": False})
    if replays(chosen) == "nothing" or share_of(policy.training) == math.inf:
        left = left.model_copy(update={"replay_tries": 0})
    return left


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
        return plan.worth_repairing(candidate.verdict) and self._next(at, []) is not None

    def run(self, at: Context, snapshot: Snapshot, candidate: Judged) -> Judged:
        """The candidate that passed, or the one that failed; both with all tries."""
        tried: list[_Tried] = []
        while (attempt := self._next(at, tried)) is not None:
            tried.append(self._try(at, snapshot, candidate, attempt, tried))
            failpoints.hit("repair.tried")
            self._keep(at, tried)
        tries = tuple(one.told for one in tried)
        kept = plan.chosen(tries)
        return replace((tried[kept].candidate if kept is not None else None) or candidate, tries=tries)

    def _next(self, at: Context, tried: list[_Tried]) -> plan.Interpolate | plan.Replay | None:
        refreshes = at.start is not None and not at.removes
        share = share_of(at.policy.training)
        return plan.next_try(possible(at.policy), share, refreshes, [one.told for one in tried])

    def _try(
        self,
        at: Context,
        snapshot: Snapshot,
        failed: Judged,
        attempt: plan.Interpolate | plan.Replay,
        before: list[_Tried],
    ) -> _Tried:
        folder = plan.folder_of(at.folder, len(before))
        step = attempt.step if isinstance(attempt, plan.Interpolate) else None
        share = attempt.share if isinstance(attempt, plan.Replay) else None
        told = RepairTry("replay" if step is None else "interpolate", step, share, None, {}, None, "error", "")
        try:
            if isinstance(attempt, plan.Interpolate):
                mixture, trained = failed.mixture, self._interpolate(at, failed.trained, attempt.step, folder)
            else:
                known = [failed.mixture, *(one.candidate.mixture for one in before if one.candidate)]
                mixture = self._more_replay(at, snapshot, attempt.share, folder, known)
                trained = self._candidates.train(at, mixture, folder / "train")
            evaluations = self._candidates.evaluate(at, snapshot, trained, folder / "evaluate")
        except jobs.Cancelled:
            raise
        except ClmError as error:  # a repair that can't be done must not hide the gate's verdict
            return _Tried(replace(told, reason=error.sentence), None)
        verdict = self._candidates.judge(at, trained, evaluations)
        told = replace(
            told,
            expert_hash=trained.expert_hash,
            scores=scores_of(evaluations)["candidate"],
            gain=next((task.difference for task in verdict.tasks if task.task == at.task), None),
            verdict=verdict.verdict,
            reason=verdict.reason,
        )
        return _Tried(told, Judged(mixture, trained, evaluations, verdict))

    def _interpolate(self, at: Context, new: Trained, step: float, folder: Path) -> Trained:
        """The router stays as it is: it reads the base, not the experts."""
        champion = at.champion
        if at.start is None:
            raise InvalidInput(f"Task {at.task!r} had no expert before, so there is none to interpolate from.")
        artifacts = self._settings.paths.artifacts
        job = InterpolationJob(
            base=champion.base_hash,
            artifacts=artifacts,
            compute=jobs.compute_of(self._settings),
            old=Stored(*champion.experts[at.start]),
            new=Stored(new.expert_hash, artifacts.expert(new.expert_hash)),
            step=step,
        )
        made = jobs.run_job(self._settings, self._database, at.update_id, job, folder / "interpolate", at.folder)
        expert = made.expert.hash
        return replace(new, expert_hash=expert, composition=composition_with(at, expert, new.composition.router_hash))

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
