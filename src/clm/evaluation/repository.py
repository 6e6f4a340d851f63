"""Scores in the database."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.core.clock import now
from clm.core.events import publish
from clm.evaluation.ledger import LedgerRow
from clm.evaluation.tables import Score
from clm.evaluation.tracks import SliceRow
from clm.records import Metric, SliceKind, SliceScore, TaskScore


def save_scores(
    session: Session,
    model: str,
    update_id: str | None,
    release_id: str | None,
    scores: Mapping[str, TaskScore],
    known_slices: Mapping[str, int] | None = None,
) -> None:
    """Adds what is not there yet: one score per task, suite version and release (or rejected update), and one for each
    of its slices. Slices above a task's number in `known_slices` are new.

    Scores are part of the change that brings them (a release, a rejection), whose audit entry names them.
    """
    subject = Score.release_id == release_id if release_id else Score.update_id == update_id
    rows = session.scalars(select(Score).where(Score.model == model, subject))
    known = {(row.task, row.suite_hash) for row in rows}
    missing = [score for score in scores.values() if (score.task, score.suite_hash) not in known]
    at = now()

    def row(score: TaskScore, part: TaskScore | SliceScore, **of_slice: Any) -> Score:
        misrouted = score.misrouted if part is score else 0
        return Score(model=model, task=score.task, update_id=update_id, release_id=release_id, metric=score.metric,
                     suite_hash=score.suite_hash, score=part.score, n=part.n, misrouted=misrouted, created_at=at,
                     **of_slice)  # fmt: skip

    for score in missing:
        session.add(row(score, score))
        newest = (known_slices or {}).get(score.task)
        for part in score.slices:
            is_new = newest is not None and part.kind != "recall" and part.slice > newest
            session.add(row(score, part, slice=part.slice, kind=part.kind, is_new=is_new, stale=part.stale))
    session.flush()
    if missing:
        publish(session, "model", model)


def ledger_rows(session: Session, model: str) -> list[LedgerRow]:
    """All stored scores of a model on whole suites, oldest first."""
    rows = session.scalars(select(Score).where(Score.model == model, Score.slice.is_(None)).order_by(Score.id))
    return [
        LedgerRow(
            task=row.task,
            metric=cast("Metric", row.metric),
            release_id=row.release_id,
            update_id=row.update_id,
            suite_hash=row.suite_hash,
            score=row.score,
            n=row.n,
            misrouted=row.misrouted,
            created_at=row.created_at,
        )
        for row in rows
    ]


def slice_rows(session: Session, model: str) -> list[SliceRow]:
    """All stored scores of a model on slices, oldest first."""
    rows = session.scalars(select(Score).where(Score.model == model, Score.slice.is_not(None)).order_by(Score.id))
    return [
        SliceRow(
            task=row.task,
            release_id=row.release_id,
            update_id=row.update_id,
            slice=row.slice or 0,
            kind=cast("SliceKind", row.kind),
            is_new=row.is_new,
            suite_hash=row.suite_hash,
            score=row.score,
            n=row.n,
            stale=row.stale,
            created_at=row.created_at,
        )
        for row in rows
    ]
