"""Updates as the API, the command line and the dashboard show them."""

from dataclasses import asdict

from sqlalchemy.orm import Session

from clm.cycle import STAGES
from clm.records import UPDATE_ENDED, kept_try
from clm.registry import service as registry
from clm.updates import repository, service
from clm.updates.schemas import GateVerdictOut, Progress, RepairTryOut, StageOut, UpdateOut
from clm.updates.tables import Update


def update_out(session: Session, update: Update) -> UpdateOut:
    return UpdateOut(
        id=update.id,
        model=update.model,
        task=update.task,
        kind=update.kind,  # pyright: ignore[reportArgumentType]
        state=update.state,  # pyright: ignore[reportArgumentType]
        stage=update.stage,
        trigger=update.trigger,
        trigger_reason=update.trigger_reason,
        champion=update.champion,
        release_id=update.release_id,
        release_number=registry.get(session, update.release_id).number if update.release_id else None,
        rollout=update.policy["rollout"]["kind"],
        rollout_id=update.rollout_id,
        verdict=_verdict(session, update),
        tries=_tries(update),
        outcome=update.outcome,
        progress=Progress.model_validate(update.progress) if update.progress else None,
        allowed_actions=service.allowed_actions(update),
        revision=update.revision,
        created_at=update.created_at,
        started_at=update.started_at,
        finished_at=update.finished_at,
        stages=_stages(session, update),
    )


def _verdict(session: Session, update: Update) -> GateVerdictOut | None:
    """The gate's verdict, each task's scores before and after side by side with what the task is to this update."""
    if update.verdict is None:
        return None
    knew = registry.get(session, update.champion).composition.tasks if update.champion else frozenset[str]()
    own = "refreshed" if update.task in knew else "new"
    tasks = [{**task, "role": own if task["task"] == update.task else "original"} for task in update.verdict["tasks"]]
    return GateVerdictOut.model_validate({**update.verdict, "tasks": tasks})


def _tries(update: Update) -> list[RepairTryOut]:
    tries = service.tries_of(update)
    kept = kept_try(tries)
    return [RepairTryOut(**asdict(one), kept=number == kept) for number, one in enumerate(tries)]


def _stages(session: Session, update: Update) -> list[StageOut]:
    """In order; repair only where it ran. What an ended update never came to is skipped, not waiting."""
    begun = {stage.name: stage for stage in repository.stages_of(session, update.id)}
    rest = "skipped" if update.state in UPDATE_ENDED else "waiting"
    return [
        StageOut.model_validate(begun[name])
        if name in begun
        else StageOut(name=name, state=rest, attempts=0, started_at=None, finished_at=None, detail=None)
        for name in STAGES
        if name != "repair" or name in begun
    ]
