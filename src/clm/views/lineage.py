"""Lineage: from a served answer down to the rows that taught its expert, and from a row up to what learned from it."""

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from clm.errors import NotFound
from clm.monitoring import repository as monitoring
from clm.records import BASE, Json, task_of
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.settings import Settings
from clm.store.store import Store
from clm.updates import service as updates

SHOWN_ROWS = 5


def trace(session: Session, settings: Settings, store: Store, object_id: str, model: str | None = None) -> Json:
    """Raises NotFound where the id is no answer, update, record or release ("v2" needs its model)."""
    kind, _, _ = object_id.partition("_")
    if kind == "ans":
        answer = monitoring.get_answer(session, object_id)
        if answer is None:
            raise NotFound(f"There is no answer {object_id!r}. Its id is in the X-CLM-Record-Id header.")
        head = {"answer": object_id, "at": answer.at, "latency_ms": answer.latency_ms, "answered_by": answer.expert}
        return {**head, **_release(session, settings, store, answer.release_id, only=answer.expert)}
    if kind == "upd":
        update = updates.get_update(session, object_id)
        head = {"update": object_id, "state": update.state, "outcome": update.outcome}
        rest = (
            _release(session, settings, store, update.release_id, update.task, whole=True) if update.release_id else {}
        )
        return {**head, **rest}
    if kind == "rec":
        return _learned_from(session, object_id)
    return _release(session, settings, store, registry.get(session, object_id, model).release_id, only=None)


def _release(
    session: Session, settings: Settings, store: Store, reference: str, only: str | None, whole: bool = False
) -> Json:
    """`only`: of this expert alone, with `whole` of all parts of this task; None: of all experts."""
    release = registry.get(session, reference)
    row = registry.get_row(session, release.release_id)
    lineage = bundles.read_lineage(settings.paths.releases / release.release_id)
    wanted = [name for name in release.composition.experts if only in (None, name) or (whole and task_of(name) == only)]
    return {
        "release": release.release_id,
        "number": release.number,
        "model": release.model,
        "parent": release.parent,
        "made_by": row.update_id,
        "base": release.manifest["base"],
        "answered_by_base": only == BASE,
        "experts": {name: _expert(store, release.model, release.composition.experts[name], lineage[name])
                    for name in wanted},
    }  # fmt: skip


def _expert(store: Store, model: str, expert_hash: str, lesson: Json) -> Json:
    ids: list[str] = lesson["record_ids"]
    return {
        "expert": expert_hash,
        "mixture": lesson["mixture"],
        "tables": lesson["snapshot"]["tables"],
        "training_rows": len(ids),
        "rows": store.rows(model, ids[:SHOWN_ROWS], version=lesson["snapshot"]["tables"]["records"]),
        "record_ids": ids,
    }


def _learned_from(session: Session, record_id: str) -> Json:
    lessons = [
        {"release": release.id, "number": release.number, "model": release.model, "task": task_of(name), "expert": name}
        for release, name in registry.learned_from(session, record_id)
    ]
    unread = [{"release": one.release_id, "expert": one.expert} for one in registry.without_lesson(session)]
    return {"record": record_id, "learned_by": lessons, "unread": unread}


def render(trace: Json) -> str:
    """The trace as an indented text, for a terminal."""
    if "record" in trace:
        users = [f"  v{r['number']} of {r['model']}, expert {r['expert']}" for r in trace["learned_by"]]
        unread = [f"  not known of release {u['release'][:12]}, expert {u['expert']}: the worker could not read it yet"
                  for u in trace["unread"]]  # fmt: skip
        return "\n".join([f"record {trace['record']}", *(users or ["  no release has learned from it"]), *unread])
    lines = [f"{key} {trace[key]}" for key in ("answer", "update") if key in trace]
    add: Callable[[int, str], None] = lambda depth, text: lines.append("  " * depth + text)  # noqa: E731
    if "release" not in trace:
        add(1, f"{trace['state']}: {trace['outcome']}")
        return "\n".join(lines)
    add(
        1,
        f"release v{trace['number']} {trace['release'][:12]} of {trace['model']}, made by {trace['made_by'] or 'hand'}",
    )
    add(2, f"base {trace['base']['reference']} {trace['base']['hash'][:12]}")
    if trace["answered_by_base"]:
        add(2, "the router said: none of these tasks, so the base answered alone")
    for task, expert in trace["experts"].items():
        add(2, f"expert {task} {expert['expert'][:12]}")
        mixture = expert["mixture"]
        parts = f"{mixture['new_rows']} new, {mixture['replay_rows']} replayed"
        add(3, f"trained on {expert['training_rows']} rows ({parts}), tables {expert['tables']}")
        for row in expert["rows"]:
            add(4, f"{row['record_id']} {row['source']} {_excerpt(row)}")
        if expert["training_rows"] > len(expert["rows"]):
            add(4, f"… and {expert['training_rows'] - len(expert['rows'])} more (-o json lists all)")
    return "\n".join(lines)


def _excerpt(row: dict[str, Any]) -> str:
    content = row["content"]
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return text if len(text) <= 90 else text[:89] + "…"
