"""Scores in the database."""

from collections.abc import Mapping
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from clm.core.clock import now
from clm.core.events import publish
from clm.evaluation.ledger import LedgerRow
from clm.evaluation.tables import Score
from clm.records import Metric, TaskScore


def save_scores(
    session: Session, model: str, update_id: str | None, release_id: str | None, scores: Mapping[str, TaskScore]
) -> None:
    """Adds what is not there yet: one score per task, suite version and release (or rejected update).

    Scores are part of the change that brings them (a release, a rejection), whose audit entry names them.
    """
    subject = Score.release_id == release_id if release_id else Score.update_id == update_id
    found = session.scalars(select(Score).where(Score.model == model, subject))
    known = {(row.task, row.suite_hash) for row in found}
    missing = [score for score in scores.values() if (score.task, score.suite_hash) not in known]
    at = now()
    session.add_all(
        Score(
            model=model,
            task=score.task,
            update_id=update_id,
            release_id=release_id,
            suite_hash=score.suite_hash,
            metric=score.metric,
            score=score.score,
            n=score.n,
            misrouted=score.misrouted,
            created_at=at,
        )
        for score in missing
    )
    session.flush()
    if missing:
        publish(session, "model", model)


def ledger_rows(session: Session, model: str) -> list[LedgerRow]:
    """All stored scores of a model, oldest first."""
    found = session.scalars(select(Score).where(Score.model == model).order_by(Score.id))
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
        for row in found
    ]
