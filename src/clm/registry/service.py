"""The registry's rules: releases are numbered per model, registered once, and never edited."""

import re
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy.orm import Session

from clm.audit.service import append as audit
from clm.core import events
from clm.core.caller import Caller
from clm.core.clock import now
from clm.core.hashing import short
from clm.core.recent import Recent
from clm.errors import Conflict, InvalidInput, NotFound, unknown_name
from clm.records import Json, Release
from clm.registry import comparison, repository
from clm.registry.bundle import Bundle, composition_of, lessons_of, read_lineage, read_taught, verify_bundle
from clm.registry.tables import ReleaseExpert, ReleaseRow

_manifests = Recent[Json](256)
_NUMBER = re.compile(r"v?([0-9]{1,9})")
_DIGEST = re.compile(r"[0-9a-f]{4,64}")


def register(
    session: Session, caller: Caller, bundle: Bundle, *, model: str, parent: str | None, update_id: str | None
) -> Release:
    """Gives a bundle its number. Doing it again changes nothing and returns the same release.

    Raises InvalidInput where the bundle belongs to another model, NotFound for an unknown parent.
    """
    if bundle.manifest["model"] != model:
        raise InvalidInput(
            f"Release {short(bundle.release_id)} was made for {bundle.manifest['model']!r}, not for {model!r}."
        )
    known = repository.by_id(session, bundle.release_id)
    if known is not None:
        return as_release(known)
    if parent is not None:
        get(session, parent, model)
    row = ReleaseRow(
        id=bundle.release_id,
        model=model,
        number=repository.last_number(session, model) + 1,
        parent=parent,
        update_id=update_id,
        path=f"{bundle.path.parent.name}/{bundle.path.name}",
        manifest=bundle.manifest,
        mlflow_version=None,
        created_at=now(),
    )
    session.add(row)
    session.flush()
    _note_lessons(session, bundle)
    after = {"model": model, "number": row.number, "parent": parent, "update_id": update_id}
    audit(session, caller, "release.register", "release", row.id, after=after)
    events.publish(session, "release", row.id, row.number)
    return as_release(row)


def _note_lessons(session: Session, bundle: Bundle) -> None:
    """So that a record finds what learned from it. What the release carries over was noted with an earlier one."""
    lessons = lessons_of(bundle.manifest)
    known = repository.known_lessons(session, lessons.values())
    for expert, lesson in lessons.items():
        if lesson not in known:
            note_lesson(session, lesson, read_taught(bundle.path, expert, lesson))
    repository.add_experts(session, bundle.release_id, lessons)


def note_lesson(session: Session, lesson: str, record_ids: Iterable[str]) -> None:
    """Again changes nothing."""
    if not repository.known_lessons(session, [lesson]):
        repository.add_lesson(session, lesson, record_ids)


def learned_from(session: Session, record_id: str) -> list[tuple[ReleaseRow, str]]:
    """Releases, newest first, each with the expert that was taught the record."""
    return repository.learned_from(session, record_id)


def without_lesson(session: Session) -> list[ReleaseExpert]:
    """Experts of releases of which it is not known what they learned from: registered before that was noted, and not
    read since."""
    return repository.without_lesson(session)


def note_mlflow_version(session: Session, caller: Caller, release_id: str, version: str) -> None:
    """Remembers under which model version the tracker knows the release: the one field that is filled in later."""
    row = _row(session, release_id, None)
    if row.mlflow_version != version:
        before, row.mlflow_version = row.mlflow_version, version
        audit(session, caller, "release.mirror", "release", row.id,
              before={"mlflow_version": before}, after={"mlflow_version": version})  # fmt: skip
        events.publish(session, "release", row.id, row.number)


def get(session: Session, reference: str, model: str | None = None) -> Release:
    """A release by id, by the first 4 or more digits of its id, or by its number such as "v3" (needs the model)."""
    return as_release(_row(session, reference, model))


def list_releases(session: Session, model: str | None = None) -> list[Release]:
    """Newest first."""
    return [as_release(row) for row in repository.without_manifests(session, model)]


def list_rows(session: Session, model: str | None, *, after: str | None, limit: int) -> list[ReleaseRow]:
    """As `list_releases`, with times and the tracker's version; what follows the release `after`."""
    last = None if after is None else get_row(session, after)
    return repository.of_model(session, model, after=last, limit=limit)


def not_mirrored(session: Session) -> list[ReleaseRow]:
    """Releases that the tracker does not know yet, the oldest of a model first."""
    return repository.not_mirrored(session)


def get_row(session: Session, reference: str, model: str | None = None) -> ReleaseRow:
    return _row(session, reference, model)


def compare(session: Session, home: Path, a: str, b: str, model: str | None = None) -> comparison.Comparison:
    """What changed from release `a` to release `b`."""
    before, after = get(session, a, model), get(session, b, model)
    lineages = (read_lineage(home / before.path), read_lineage(home / after.path))
    return comparison.compare(before.release_id, after.release_id, (before.manifest, after.manifest), lineages)


def verify(release: Release, home: Path, keys: Path) -> None:
    """Raises TamperedArtifact where the bundle on disk is not what was registered."""
    verify_bundle(home / release.path, keys)


def as_release(row: ReleaseRow) -> Release:
    manifest = _manifests.get(row.id, lambda: row.manifest)  # named by its digest, so what was read stays true
    return Release(
        release_id=row.id,
        model=row.model,
        number=row.number,
        path=row.path,
        composition=composition_of(manifest),
        parent=row.parent,
        manifest=manifest,
    )


def _row(session: Session, reference: str, model: str | None) -> ReleaseRow:
    row = repository.by_id(session, reference)
    if row is not None and model in (None, row.model):
        return row
    number = _NUMBER.fullmatch(reference)
    if number and (reference.startswith("v") or len(reference) < 4):
        if model is None:
            raise InvalidInput(f"{reference!r} is a release of which model? Name the model, or give the release's id.")
        numbered = repository.by_number(session, model, int(number[1]))
        if numbered is not None:
            return numbered
    elif _DIGEST.fullmatch(reference):
        rows = repository.by_prefix(session, reference, model)
        if len(rows) > 1:
            raise Conflict(f"More than one release begins with {reference}; give more digits of its id.")
        if rows:
            return rows[0]
    known = [f"v{row.number}" if model else short(row.id) for row in repository.of_model(session, model, limit=10)]
    if not known and model:
        raise NotFound(f"The model {model!r} has no release yet.")
    raise unknown_name("release", reference, known)
