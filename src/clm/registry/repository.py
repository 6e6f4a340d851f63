"""SQL of the releases."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from clm.registry.tables import ReleaseRow


def by_id(session: Session, release_id: str) -> ReleaseRow | None:
    return session.get(ReleaseRow, release_id)


def by_number(session: Session, model: str, number: int) -> ReleaseRow | None:
    return session.scalar(select(ReleaseRow).where(ReleaseRow.model == model, ReleaseRow.number == number))


def by_prefix(session: Session, prefix: str, model: str | None) -> list[ReleaseRow]:
    """Releases whose id begins with `prefix` (hexadecimal digits only), at most two: one is an answer, two are none."""
    statement = select(ReleaseRow).where(ReleaseRow.id.startswith(prefix)).order_by(ReleaseRow.id).limit(2)
    return list(session.scalars(statement.where(ReleaseRow.model == model) if model else statement))


def of_model(session: Session, model: str | None) -> list[ReleaseRow]:
    """Newest first; of every model where none is named."""
    statement = select(ReleaseRow).order_by(ReleaseRow.model, ReleaseRow.number.desc())
    return list(session.scalars(statement.where(ReleaseRow.model == model) if model else statement))


def without_manifests(session: Session, model: str | None) -> list[ReleaseRow]:
    """As `of_model`; a manifest is read when it is asked for."""
    statement = select(ReleaseRow).order_by(ReleaseRow.model, ReleaseRow.number.desc())
    statement = statement.options(defer(ReleaseRow.manifest))
    return list(session.scalars(statement.where(ReleaseRow.model == model) if model else statement))


def last_number(session: Session, model: str) -> int:
    return session.scalar(select(func.max(ReleaseRow.number)).where(ReleaseRow.model == model)) or 0
