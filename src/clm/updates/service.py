"""Updates: asking for one, following it, stopping it. Running them is `clm.worker`'s work."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.catalog.service import get_model, get_task
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.events import publish
from clm.core.ids import new_id
from clm.cycle import STAGES
from clm.errors import Conflict, NotFound, unknown_name
from clm.records import UPDATE_ENDED, GateVerdict, RepairTry
from clm.updates import repository
from clm.updates.tables import Stage, Update

KINDS = ("learn", "consolidate", "remove")
UNDER_WAY = ("queued", "running", "cancelling")


def create_update(
    session: Session,
    caller: Caller,
    *,
    model: str,
    task: str,
    trigger: str = "person",
    reason: str = "started by hand",
    rollout_kind: str | None = None,
    kind: str = "learn",
) -> Update:
    """Queues an update; the worker picks it up. One that waits for the same task already is a Conflict.

    `kind` "remove" makes a release without the task's experts; once that serves, the task is marked removed.
    "consolidate" makes one expert of a task's parts; it takes new data along, and needs none.
    """
    row = get_model(session, model)
    get_task(session, model, task)
    if kind not in KINDS:
        raise unknown_name("kind of update", kind, list(KINDS))
    waiting = repository.queued(session, model, task)
    if waiting:
        takes = "it will take the new data" if waiting.kind == kind != "remove" else "cancel it, or wait for its end"
        raise Conflict(f"Update {waiting.id} of task {task!r} is waiting to start already; {takes}.")
    policy: dict[str, Any] = dict(row.policy)
    if rollout_kind:
        policy["rollout"] = {**policy["rollout"], "kind": rollout_kind}
    update = Update(
        id=new_id("upd"),
        model=model,
        task=task,
        kind=kind,
        state="queued",
        trigger=trigger,
        trigger_reason=reason,
        policy=policy,
        revision=1,
        created_at=now(),
    )
    session.add(update)
    audit(session, caller, "update.create", "update", update.id,
          after={"model": model, "task": task, "kind": kind, "trigger": trigger, "reason": reason})  # fmt: skip
    publish(session, "update", update.id, 1)
    return update


def get_update(session: Session, update_id: str) -> Update:
    update = session.get(Update, update_id)
    if update is None:
        raise NotFound(f"There is no update {update_id!r}; `clm update list` shows them.")
    return update


def request_cancel(session: Session, caller: Caller, update_id: str) -> Update:
    update = get_update(session, update_id)
    if "cancel" not in allowed_actions(update):
        raise Conflict(f"Update {update_id} can't be cancelled: it is {update.state}, stage {update.stage or 'none'}.")
    audit(session, caller, "update.cancel", "update", update_id, before={"state": update.state})
    if update.state == "queued":
        finish(session, caller, update, "cancelled", "Cancelled before it started.")
    else:
        update.state = "cancelling"
        touch(session, update)
    return update


def allowed_actions(update: Update) -> list[str]:
    """A rollout under way is ended with abort or rollback, not with cancel."""
    return ["cancel"] if update.state in ("queued", "running") and update.stage != "rollout" else []


def touch(session: Session, update: Update) -> None:
    update.revision += 1
    publish(session, "update", update.id, update.revision)


def finish(session: Session, caller: Caller, update: Update, state: str, outcome: str) -> None:
    """Ends an update. Asked again after a crash it changes nothing."""
    if update.state in UPDATE_ENDED:
        return
    audit(session, caller, f"update.{state}", "update", update.id, before={"state": update.state},
          after={"state": state, "outcome": outcome, "release": update.release_id, **_repairs(update)})  # fmt: skip
    update.state, update.outcome, update.finished_at, update.progress = state, outcome, now(), None
    touch(session, update)


def _repairs(update: Update) -> dict[str, int]:
    return {"repairs_tried": len(update.tries)} if update.tries else {}


def verdict_to_json(verdict: GateVerdict) -> dict[str, Any]:
    return asdict(verdict)


def tries_to_json(tries: Sequence[RepairTry]) -> list[dict[str, Any]]:
    return [asdict(one) for one in tries]


def tries_of(update: Update) -> list[RepairTry]:
    return [RepairTry(**one) for one in update.tries or []]


def begin_stage(session: Session, update: Update, name: str) -> None:
    stage = next((s for s in repository.stages_of(session, update.id) if s.name == name), None)
    if stage is None:
        session.add(Stage(update_id=update.id, position=STAGES.index(name), name=name, state="running", attempts=1,
                          started_at=now()))  # fmt: skip
    elif stage.state != "done":
        stage.state, stage.attempts = "running", stage.attempts + 1
    update.stage = name
    touch(session, update)


def end_stage(session: Session, update: Update, name: str, state: str, detail: dict[str, Any]) -> None:
    stage = next(s for s in repository.stages_of(session, update.id) if s.name == name)
    stage.state, stage.detail, stage.finished_at = state, detail, now()
    touch(session, update)


def seen_until(session: Session, model: str, task: str) -> tuple[datetime | None, int | None]:
    """What the newest update of a task has seen: when it looked, and which version of the records it pinned.

    None: there was no update, or it ended before it pinned one; then all that came before it was asked for counts as
    seen, so that what fails at once is not begun again and again.
    """
    newest = repository.newest(session, model, task)
    if newest is None:
        return None, None
    pinned = next(
        (s for s in repository.stages_of(session, newest.id) if s.name == "snapshot" and s.state == "done"), None
    )
    if pinned is None or not pinned.detail:
        return newest.created_at, None
    return pinned.started_at or newest.created_at, int(pinned.detail["tables"]["records"])


def under_way(session: Session, model: str) -> list[Update]:
    """Oldest first."""
    return repository.in_states(session, model, UNDER_WAY)
