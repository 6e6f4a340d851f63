"""SQL of the releases."""

from collections.abc import Iterable, Mapping

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, defer

from clm.registry.tables import Lesson, LessonRecord, ReleaseExpert, ReleaseRow


def by_id(session: Session, release_id: str) -> ReleaseRow | None:
    return session.get(ReleaseRow, release_id)


def by_number(session: Session, model: str, number: int) -> ReleaseRow | None:
    return session.scalar(select(ReleaseRow).where(ReleaseRow.model == model, ReleaseRow.number == number))


def by_prefix(session: Session, prefix: str, model: str | None) -> list[ReleaseRow]:
    """Releases whose id begins with `prefix` (hexadecimal digits only), at most two: one is an answer, two are none."""
    statement = select(ReleaseRow).where(ReleaseRow.id.startswith(prefix)).order_by(ReleaseRow.id).limit(2)
    return list(session.scalars(statement.where(ReleaseRow.model == model) if model else statement))


def of_model(session: Session, model: str | None, *, after: ReleaseRow | None = None, limit: int) -> list[ReleaseRow]:
    """Newest first; of every model where none is named, one model after the other."""
    statement = select(ReleaseRow).order_by(ReleaseRow.model, ReleaseRow.number.desc()).limit(limit)
    if after is not None:
        older = (ReleaseRow.model == after.model) & (ReleaseRow.number < after.number)
        statement = statement.where(older | (ReleaseRow.model > after.model))
    return list(session.scalars(statement.where(ReleaseRow.model == model) if model else statement))


def without_manifests(session: Session, model: str | None) -> list[ReleaseRow]:
    """As `of_model`; a manifest is read when it is asked for."""
    statement = select(ReleaseRow).order_by(ReleaseRow.model, ReleaseRow.number.desc())
    statement = statement.options(defer(ReleaseRow.manifest))
    return list(session.scalars(statement.where(ReleaseRow.model == model) if model else statement))


def not_mirrored(session: Session) -> list[ReleaseRow]:
    """Releases that the tracker does not know yet, the oldest of a model first."""
    unknown = select(ReleaseRow).where(ReleaseRow.mlflow_version.is_(None))
    return list(session.scalars(unknown.order_by(ReleaseRow.model, ReleaseRow.number)))


def last_number(session: Session, model: str) -> int:
    return session.scalar(select(func.max(ReleaseRow.number)).where(ReleaseRow.model == model)) or 0


def known_lessons(session: Session, hashes: Iterable[str]) -> set[str]:
    return set(session.scalars(select(Lesson.hash).where(Lesson.hash.in_(list(hashes)))))


def add_lesson(session: Session, lesson_hash: str, record_ids: Iterable[str]) -> None:
    lesson = Lesson(hash=lesson_hash)
    session.add(lesson)
    session.flush()
    rows = [{"record_id": record_id, "lesson_id": lesson.id} for record_id in dict.fromkeys(record_ids)]
    if rows:
        session.connection().execute(insert(LessonRecord), rows)


def add_experts(session: Session, release_id: str, lessons: Mapping[str, str]) -> None:
    """`lessons`: hashes by expert."""
    session.add_all(
        ReleaseExpert(release_id=release_id, expert=expert, lesson_hash=lesson) for expert, lesson in lessons.items()
    )


def learned_from(session: Session, record_id: str) -> list[tuple[ReleaseRow, str]]:
    """Releases, newest first, with the expert that was taught the record."""
    of_record = (
        select(ReleaseRow, ReleaseExpert.expert)
        .join(ReleaseExpert, ReleaseExpert.release_id == ReleaseRow.id)
        .join(Lesson, Lesson.hash == ReleaseExpert.lesson_hash)
        .join(LessonRecord, LessonRecord.lesson_id == Lesson.id)
        .where(LessonRecord.record_id == record_id)
        .order_by(ReleaseRow.model, ReleaseRow.number.desc(), ReleaseExpert.expert)
        .options(defer(ReleaseRow.manifest))
    )
    return [(row, expert) for row, expert in session.execute(of_record)]


def without_lesson(session: Session) -> list[ReleaseExpert]:
    missing = select(ReleaseExpert).where(ReleaseExpert.lesson_hash.not_in(select(Lesson.hash)))
    return list(session.scalars(missing.order_by(ReleaseExpert.release_id, ReleaseExpert.expert)))
