"""Requests and feedback. Both are measurements, not changes: they are kept, but have no audit entry."""

import math
from collections.abc import Iterable

from sqlalchemy.orm import Session

from clm.core.clock import now
from clm.core.ids import new_id
from clm.errors import InvalidInput, NotFound
from clm.monitoring import repository
from clm.monitoring.tables import Answer, Feedback

LONGEST_COMMENT = 2000


def add_answers(session: Session, rows: Iterable[Answer]) -> None:
    repository.add_answers(session, rows)


def add_feedback(session: Session, record_id: str, score: float, comment: str | None = None) -> Feedback:
    """Keeps a score in [0, 1] for an answer. A second one for the same answer replaces the first.

    Raises NotFound for a record id that no answer has, InvalidInput for a score or comment out of bounds.
    """
    if not math.isfinite(score) or not 0 <= score <= 1:
        raise InvalidInput(f"A score lies between 0 (bad) and 1 (good); got {score}.", field="score")
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise InvalidInput(f"A comment has at most {LONGEST_COMMENT} characters.", field="comment")
    answer = repository.get_answer(session, record_id, for_update=True)  # of two at once, one is the second
    if answer is None:
        raise NotFound(
            f"There is no answer {record_id!r}. Every answer carries its record id in the X-CLM-Record-Id header."
        )
    feedback = repository.feedback_on(session, record_id)
    repository.count_feedback(session, answer, score, feedback.score if feedback else None)
    if feedback is None:
        feedback = Feedback(id=new_id("fbk"), answer_id=record_id, score=score, comment=comment, at=now())
        session.add(feedback)
    else:
        feedback.score, feedback.comment, feedback.at = score, comment, now()
    return feedback
