"""Views across the stages: what an operator wants to know in ten seconds. Reads only."""

import re
from collections import defaultdict
from datetime import timedelta

from sqlalchemy.orm import Session

from clm.audit import repository as audit
from clm.audit.tables import AuditEntry
from clm.catalog import service as catalog
from clm.core.clock import now
from clm.core.hashing import short
from clm.deployment import repository as deployments
from clm.deployment.tables import Deployment
from clm.evaluation import repository as score_rows
from clm.evaluation.ledger import Ledger, ReleaseFact, build_ledger
from clm.ingest import repository as batches
from clm.operations import service as operations
from clm.policies import ModelPolicy
from clm.records import Release
from clm.registry import service as registry
from clm.settings import Settings
from clm.updates import repository as update_rows
from clm.updates import service as updates
from clm.updates.tables import Update
from clm.updates.views import update_out
from clm.views.averages import weighed
from clm.views.schemas import (
    Attention,
    HomeEvent,
    LedgerOut,
    Overview,
    ReleaseRef,
    Serving,
    SettingOut,
    Verdict,
)

_PASSWORD = re.compile(r"(://[^/@:]*:)[^/]*@")  # in an address
RECENT = timedelta(days=1)  # how long an ended update asks for attention
SAYS = {
    "model.create": "Model created",
    "operation.ask": "Operation asked for",
    "operation.done": "Operation done",
    "operation.failed": "Operation failed",
    "model.policy": "Policy changed",
    "task.add": "Task added",
    "task.edit": "Task changed",
    "task.remove": "Task removed",
    "batch.commit": "Data taken in",
    "batch.refuse": "Delivery refused",
    "batch.hold": "Rows held after a rejection",
    "batch.release": "Held rows released",
    "batch.discard": "Held rows discarded",
    "source.add": "Source added",
    "conflict.resolve": "Contradiction decided",
    "data.drop": "Rows taken out",
    "data.undrop": "Rows brought back",
    "suite.drop": "Held-out examples taken out",
    "suite.undrop": "Held-out examples brought back",
    "update.create": "Update asked for",
    "update.succeeded": "Update succeeded",
    "update.rejected": "Gate said no",
    "update.inconclusive": "Gate could not tell",
    "update.rolled-back": "Update rolled back",
    "update.failed": "Update failed",
    "update.cancel": "Cancelling asked for",
    "update.cancelled": "Update cancelled",
    "release.register": "Release registered",
    "release.mirror": "Release mirrored to the tracker",
    "deployment.create": "First release serves",
    "deployment.rollback": "Rolled back",
    "rollout.start": "Rollout begins",
    "rollout.ready": "Candidate gets its first traffic",
    "rollout.step-on": "Rollout moves on",
    "rollout.roll-back": "Rollout rolled back",
    "rollout.promote": "Candidate promoted",
    "rollout.abort": "Rollout aborted",
    "rollout.pause": "Rollout paused",
    "rollout.resume": "Rollout goes on",
}


def ledger_of(session: Session, model: str) -> Ledger:
    catalog.get_model(session, model)
    facts = [ReleaseFact(r.release_id, r.number, r.composition.tasks) for r in registry.list_releases(session, model)]
    champion = deployments.get_deployment(session, model).champion
    whole, slices = score_rows.ledger_rows(session, model), score_rows.slice_rows(session, model)
    return build_ledger(model, whole, facts, champion, slices)


def ledger_out(session: Session, model: str) -> LedgerOut:
    """The ledger to show."""
    return _with_weights(session, ledger_of(session, model))


def _with_weights(session: Session, ledger: Ledger) -> LedgerOut:
    """The tasks' weights are in its average."""
    model = ledger.model
    weights = {task.name: task.weight for task in catalog.list_tasks(session, model, removed=True)}
    champion = registry.get(session, deployments.get_deployment(session, model).champion)
    return weighed(ledger, champion.composition.tasks, weights)


def overview(session: Session, model: str | None) -> Overview:
    """Raises NotFound for an unknown model; without a name, the first one, as every page takes it: what is looked at is
    what is rolled back."""
    names = [m.name for m in catalog.list_models(session)]
    chosen = catalog.get_model(session, model).name if model else next(iter(names), None)
    events = [_event(session, entry) for entry in audit.page(session, before=None, limit=10)]
    if chosen is None:
        verdict = Verdict(level="empty", sentence="No model yet. `clm model create NAME` makes the first one.")
        return Overview(as_of=now(), verdict=verdict, models=[], model=None, serving=None, ledger=None,
                        running_update=None, attention=[], events=events)  # fmt: skip
    deployment = deployments.get_deployment(session, chosen)
    releases = {r.release_id: r for r in registry.list_releases(session, chosen)}
    serving = _serving(deployment, releases)
    running = next(iter(updates.under_way(session, chosen)), None)
    ledger = ledger_of(session, chosen)
    attention = _attention(session, deployment, ledger)
    return Overview(
        as_of=now(),
        verdict=_verdict(chosen, serving, running, attention),
        models=names,
        model=chosen,
        serving=serving,
        ledger=_with_weights(session, ledger),
        running_update=update_out(session, running) if running else None,
        attention=attention,
        events=events,
    )


def _serving(deployment: Deployment, releases: dict[str, Release]) -> Serving:
    def reference(release_id: str | None) -> ReleaseRef | None:
        return ReleaseRef(release_id=release_id, number=releases[release_id].number) if release_id else None

    champion = releases[deployment.champion]
    return Serving(
        champion=ReleaseRef(release_id=champion.release_id, number=champion.number),
        previous=reference(deployment.previous),
        candidate=reference(deployment.candidate),
        candidate_share=deployment.candidate_share,
    )


def _attention(session: Session, deployment: Deployment, ledger: Ledger) -> list[Attention]:
    """What needs a person, the gravest first."""
    items: list[Attention] = []
    if deployment.rollout_id:
        rollout = deployments.get_rollout(session, deployment.rollout_id)
        if rollout.state == "paused":
            items.append(Attention(level="attention", sentence="The rollout is paused.", link="/deployment"))
    seen: set[str] = set()
    for update in update_rows.list_updates(session, model=deployment.model, limit=20):
        newest_of_task = update.task not in seen
        seen.add(update.task)
        if newest_of_task and update.finished_at and now() - update.finished_at < RECENT:
            items += _about(update)
    margins = _margins(session, deployment.model)
    for task in ledger.tasks:
        if task.current is None or task.best is None:
            continue
        if task.best - task.current > margins[task.task]:
            sentence = f"Task {task.task} is at {task.current:.2f}; it was {task.best:.2f} at its best."
            items.append(Attention(level="attention", sentence=sentence, link="/"))
    return sorted(items, key=lambda item: item.level != "problem")


def _margins(session: Session, model: str) -> defaultdict[str, float]:
    """What each task may lose, by its own margin or the model's."""
    gate = ModelPolicy.model_validate(catalog.get_model(session, model).policy).gate
    tasks = catalog.list_tasks(session, model, removed=True)
    own = {task.name: task.margin for task in tasks if task.margin is not None}
    return defaultdict(lambda: gate.margin, own)


def _about(update: Update) -> list[Attention]:
    link = f"/updates/{update.id}"
    if update.state == "failed":
        return [Attention(level="problem", sentence=f"Update of {update.task} failed: {update.outcome}", link=link)]
    if update.state in ("rejected", "inconclusive", "rolled-back"):
        said = {"rejected": "was rejected by the gate", "inconclusive": "is inconclusive",
                "rolled-back": "was rolled back"}[update.state]  # fmt: skip
        sentence = f"Update of {update.task} {said}: {update.outcome}"
        return [Attention(level="attention", sentence=sentence, link=link)]
    return []


def _verdict(model: str, serving: Serving, running: Update | None, attention: list[Attention]) -> Verdict:
    parts = [f"Serving {model} v{serving.champion.number}"]
    if serving.candidate:
        parts.append(f"{serving.candidate_share:g} % canary v{serving.candidate.number}")
    if running:
        parts.append(f"update of {running.task} at {running.stage or 'the start'}")
    if attention:
        parts.append(f"{len(attention)} item{'s need' if len(attention) > 1 else ' needs'} you")
    worst = attention[0].level if attention else "ok"
    return Verdict(level=worst, sentence=", ".join(parts) + ".")


def _event(session: Session, entry: AuditEntry) -> HomeEvent:
    says = SAYS.get(entry.action, entry.action)
    after = entry.after or {}
    why = after.get("outcome") or after.get("reason") or entry.reason
    return HomeEvent(
        sequence=entry.sequence,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        object_kind=entry.object_kind,
        object_id=entry.object_id,
        sentence=f"{says}: {_subject(session, entry)}" + (f" – {why}" if why else ""),
    )


def _subject(session: Session, entry: AuditEntry) -> str:
    """What an event is about, in the words of people: the task, the release's number."""
    if entry.object_kind == "update":
        return updates.get_update(session, entry.object_id).task
    if entry.object_kind == "batch":
        batch = batches.get_batch(session, entry.object_id)
        return f"{batch.accepted} of {batch.received} rows for {batch.task}"
    if entry.object_kind == "source":
        after = entry.after or {}
        return str(after.get("address") or after.get("path") or entry.object_id)  # `path`: from when all were folders
    if entry.object_kind == "operation":
        return operations.get(session, entry.object_id).subject
    if entry.object_kind == "release":
        return f"v{registry.get(session, entry.object_id).number} ({short(entry.object_id)})"
    return entry.object_id


def settings_shown(settings: Settings) -> list[SettingOut]:
    """Without the passwords that addresses may hold."""
    values, fields = settings.model_dump(mode="json"), Settings.model_fields
    return [
        SettingOut(
            name=name,
            value=_without_password(values[name]),
            default=_plain(field.default),
            meaning=field.description or "",
        )
        for name, field in fields.items()
    ]


def _without_password(value: str | int | float | bool | None) -> str | int | float | bool | None:
    return _PASSWORD.sub(r"\1***@", value) if isinstance(value, str) else value


def _plain(default: object) -> str | int | float | bool | None:
    return default if default is None or isinstance(default, str | int | float) else str(default)
