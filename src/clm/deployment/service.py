"""Deployments: which release serves a model, and how the next one takes over. The caller commits.

Every function changes rows in the caller's transaction, with audit entry and event. After the commit the boundary
calls `clm.deployment.targets.targets.reconcile`, and serving follows.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.core.caller import Caller
from clm.core.clock import now as clock
from clm.core.events import publish
from clm.core.hashing import short
from clm.core.ids import new_id
from clm.deployment import repository, rollout
from clm.deployment.analysis import Analysis, analyse
from clm.deployment.rollout import Action, Event, Rollout
from clm.deployment.tables import Deployment, RolloutRow
from clm.errors import Conflict, InvalidInput, NotFound
from clm.policies import RolloutPolicy
from clm.records import Release, TrafficWindow

ACTIONS: tuple[Action, ...] = ("promote", "pause", "resume", "abort", "rollback")


def deploy_first(session: Session, caller: Caller, model: str, release: Release) -> Deployment:
    """Makes a model's first release its champion. Again with the same release: nothing happens."""
    deployment = session.get(Deployment, model)
    if deployment is not None:
        if deployment.champion == release.release_id:
            return deployment
        raise Conflict(f"Model {model!r} is served already; start a rollout to move it to another release.")
    deployment = Deployment(
        model=model, champion=release.release_id, candidate_share=0.0, revision=1, updated_at=clock()
    )
    session.add(deployment)
    audit(session, caller, "deployment.create", "deployment", model, after=_seen(deployment))
    publish(session, "deployment", model, 1)
    return deployment


def start_rollout(
    session: Session, caller: Caller, release: Release, policy: RolloutPolicy, update_id: str | None
) -> RolloutRow:
    """Begins to move a model's traffic to the release. The same update again gives the same rollout.

    Raises Conflict where another rollout of the model is under way, or the release serves already.
    """
    if update_id is not None and (known := repository.rollout_of_update(session, update_id)):
        return known
    deployment = repository.get_deployment(session, release.model)
    if deployment.rollout_id:
        raise Conflict(
            f"Rollout {deployment.rollout_id} of model {release.model!r} is under way; promote or abort it first.",
            rollout_id=deployment.rollout_id,
        )
    if deployment.champion == release.release_id:
        raise Conflict(f"Release {short(release.release_id)} serves model {release.model!r} already.")
    row = _new_rollout(deployment, release.release_id, policy.kind, policy.model_dump(mode="json"), update_id)
    session.add(row)
    before = _seen(deployment)
    deployment.candidate, deployment.candidate_share, deployment.rollout_id = release.release_id, 0.0, row.id
    _changed(session, caller, deployment, "rollout.start", before, row.id)
    return row


def tick(
    session: Session,
    caller: Caller,
    rollout_id: str,
    candidate: TrafficWindow,
    baseline: TrafficWindow,
    candidate_ready: bool,
    now: datetime,
    candidate_error: str | None = None,
) -> Analysis | None:
    """Looks at a rollout once: starts it when the engine holds the release, then steps on, promotes or rolls back.

    The windows start at the rollout's `step_started_at`. `candidate_error` is why the engine refuses the release.
    A paused rollout is still rolled back when it does harm, but never moved forward. Returns the analysis, if any.
    """
    row = repository.get_rollout(session, rollout_id)
    if row.state not in rollout.UNDER_WAY:
        return None
    if row.state == "waiting":
        if candidate_error:
            reason = f"the engine can't load the release: {candidate_error}"
            _apply(session, caller, row, "roll-back", reason, now)
        elif candidate_ready:
            _apply(session, caller, row, "ready", "the engine holds the release", now)
        return None
    policy = RolloutPolicy.model_validate(row.policy)
    analysis = analyse(policy, candidate, baseline, (now - row.step_started_at).total_seconds())
    _remember(session, row, analysis, now)
    if analysis.verdict == "rollback":
        _apply(session, caller, row, "roll-back", analysis.reason, now)
    elif analysis.verdict == "promote" and row.state == "running":
        _apply(session, caller, row, "step-on", analysis.reason, now)
    return analysis


def act(
    session: Session,
    caller: Caller,
    model: str,
    action: str,
    expected_revision: int | None = None,
    to: str | None = None,
    reason: str | None = None,
) -> Deployment:
    """What a person does to a model's traffic: promote, pause, resume, abort or rollback.

    Rollback takes a rollout under way back to 0 %; without one it swaps champion and previous, or goes to the release
    `to` (id or its beginning) that has served before. `expected_revision` is what the person looked at: if the
    deployment has changed since, Conflict tells the current one. Raises NotFound if there is nothing to go back to.
    """
    deployment = repository.get_deployment(session, model)
    if action not in ACTIONS:
        raise InvalidInput(f"There is no action {action!r}. Known: {', '.join(ACTIONS)}.", field="action")
    if expected_revision is not None and expected_revision != deployment.revision:
        raise Conflict(
            f"The deployment of {model!r} changed meanwhile: you saw revision {expected_revision}, it is at "
            f"{deployment.revision}. Look again, then decide.",
            revision=deployment.revision,
        )
    why = reason or caller.reason or f"{action} by {caller.actor}"
    if deployment.rollout_id:
        row = repository.get_rollout(session, deployment.rollout_id)
        leads_to_champion = to is None or deployment.champion.startswith(to)
        _apply(session, caller, row, rollout.event_of(action), why, clock())
        if action == "rollback" and not leads_to_champion:
            _go_back(session, caller, deployment, to, why)
    elif action == "rollback":
        _go_back(session, caller, deployment, to, why)
    else:
        raise Conflict(f"Model {model!r} has no rollout under way, so there is nothing to {action}.")
    return deployment


def allowed_actions(deployment: Deployment, row: RolloutRow | None) -> list[dict[str, Any]]:
    """Every action with `enabled`, and the reason where it isn't."""
    possible = rollout.allowed_actions(as_rollout(row).state) if row is not None else ()
    if row is None and deployment.previous:
        possible = ("rollback",)
    no_rollout = "no rollout is under way"
    why_not = dict.fromkeys(ACTIONS, f"the rollout is {row.state}" if row is not None else no_rollout)
    if row is None:
        why_not["rollback"] = "there is no release before this one"
    return [{"action": a, "enabled": a in possible, "reason": None if a in possible else why_not[a]} for a in ACTIONS]


def record_rollback_ms(session: Session, rollout_id: str, milliseconds: float) -> None:
    """How long it took until serving was told to go back. A measurement, so without audit entry."""
    repository.get_rollout(session, rollout_id).rollback_ms = milliseconds


def as_rollout(row: RolloutRow) -> Rollout:
    state: Any = row.state  # written by this module only
    shares = RolloutPolicy.model_validate(row.policy).steps if row.kind == "canary" else ()
    return Rollout(state, shares, row.step)


def _apply(session: Session, caller: Caller, row: RolloutRow, event: Event, reason: str, now: datetime) -> None:
    """One transition, and what it means for the traffic. Promotion is one row's champion moving, nothing else."""
    after = rollout.transition(as_rollout(row), event)
    deployment = repository.get_deployment(session, row.model)
    before = _seen(deployment)
    if (after.state, after.step) != (row.state, row.step) and event in ("ready", "step-on"):
        row.step_started_at = now
    row.state, row.step, row.reason, row.revision = after.state, after.step, reason, row.revision + 1
    if after.state in rollout.UNDER_WAY:
        deployment.candidate_share = after.candidate_share
    else:
        row.finished_at = now
        deployment.candidate, deployment.candidate_share, deployment.rollout_id = None, 0.0, None
    if after.state == "promoted":
        deployment.previous, deployment.champion = deployment.champion, row.release_id
    _changed(session, caller, deployment, f"rollout.{event}", before, row.id, reason)


def _go_back(session: Session, caller: Caller, deployment: Deployment, to: str | None, reason: str) -> None:
    """Swaps the champion with an earlier one. Kept in the history as a rollout of kind "rollback"."""
    target = _target(session, deployment, to)
    row = _new_rollout(deployment, target, "rollback", {}, None)
    row.state, row.reason, row.finished_at = "promoted", reason, row.created_at
    session.add(row)
    before = _seen(deployment)
    deployment.previous, deployment.champion = deployment.champion, target
    _changed(session, caller, deployment, "deployment.rollback", before, row.id, reason)


def _target(session: Session, deployment: Deployment, to: str | None) -> str:
    if to is None:
        if deployment.previous is None:
            raise NotFound(
                f"Release {short(deployment.champion)} is the first that serves {deployment.model!r}: "
                "there is none to go back to."
            )
        return deployment.previous
    served = [r for r in repository.served_before(session, deployment.model) if r != deployment.champion]
    matching = [r for r in served if to and r.startswith(to)]
    if len(matching) != 1:
        known = ", ".join(short(r) for r in served) or "none"
        raise NotFound(f"No single release {to!r} has served {deployment.model!r} before. Known: {known}.")
    return matching[0]


def _new_rollout(
    deployment: Deployment, release_id: str, kind: str, policy: dict[str, Any], update_id: str | None
) -> RolloutRow:
    moment = clock()
    return RolloutRow(
        id=new_id("rol"), model=deployment.model, release_id=release_id, baseline=deployment.champion,
        update_id=update_id, kind=kind, policy=policy, state="waiting", step=0, step_started_at=moment, verdicts=[],
        revision=1, created_at=moment,
    )  # fmt: skip


def _remember(session: Session, row: RolloutRow, analysis: Analysis, now: datetime) -> None:
    """Adds the verdict to the rollout when it differs from the last one of this step (numbers alone don't count)."""
    checks = [{"name": c.name, "verdict": c.verdict, "observed": c.observed, "limit": c.limit, "n": c.n}
              for c in analysis.checks]  # fmt: skip
    entry = {"step": row.step, "at": now.isoformat(), "verdict": analysis.verdict, "reason": analysis.reason,
             "checks": checks}  # fmt: skip
    if row.verdicts and _outcome(row.verdicts[-1]) == _outcome(entry):
        return
    row.verdicts = [*row.verdicts, entry]
    row.revision += 1
    publish(session, "deployment", row.model, row.revision)


def _outcome(entry: dict[str, Any]) -> list[Any]:
    return [entry["step"], entry["verdict"], [(c["name"], c["verdict"]) for c in entry["checks"]]]


def _changed(
    session: Session,
    caller: Caller,
    deployment: Deployment,
    action: str,
    before: dict[str, Any],
    rollout_id: str,
    reason: str | None = None,
) -> None:
    deployment.revision += 1
    deployment.updated_at = clock()
    after = {**_seen(deployment), "rollout": rollout_id, "reason": reason}
    audit(session, caller, action, "deployment", deployment.model, before=before, after=after)
    publish(session, "deployment", deployment.model, deployment.revision)


def _seen(deployment: Deployment) -> dict[str, Any]:
    return {"champion": deployment.champion, "previous": deployment.previous, "candidate": deployment.candidate,
            "candidate_share": deployment.candidate_share}  # fmt: skip
