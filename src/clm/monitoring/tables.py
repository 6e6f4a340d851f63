from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Answer(Base):
    """One request that the gateway answered. Holds no content."""

    __tablename__ = "answers"
    __table_args__ = (Index("ix_answers_release_at", "release_id", "at"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # ans_…, the X-CLM-Record-Id header
    model: Mapped[str]
    release_id: Mapped[str]
    expert: Mapped[str | None]  # task whose expert answered; "__base__": the base; None: it failed before routing
    conversation: Mapped[str]  # hash of the sticky key
    status: Mapped[int]  # HTTP status towards the client
    error: Mapped[str | None]
    latency_ms: Mapped[float]
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    pinned: Mapped[bool]  # the client named a release or alias: not part of a canary's sample
    at: Mapped[datetime]


class Feedback(Base):
    __tablename__ = "feedback"

    id: Mapped[str] = mapped_column(primary_key=True)  # fbk_…
    answer_id: Mapped[str] = mapped_column(ForeignKey("answers.id"), index=True)
    score: Mapped[float]  # 0 … 1
    comment: Mapped[str | None]
    at: Mapped[datetime]


class TrafficCount(Base):
    """What the answers of a minute, an hour or a day come to, by latency; kept with them, in the same transaction."""

    __tablename__ = "traffic"
    __table_args__ = {"sqlite_with_rowid": False}

    release_id: Mapped[str] = mapped_column(primary_key=True)
    span: Mapped[int] = mapped_column(primary_key=True)  # seconds: 60 | 3600 | 86400
    slot: Mapped[int] = mapped_column(primary_key=True)  # whole spans since 1970
    bucket: Mapped[int] = mapped_column(primary_key=True)  # of latency, see clm.monitoring.traffic
    pinned: Mapped[bool] = mapped_column(primary_key=True)
    requests: Mapped[int]
    errors: Mapped[int]
    feedback: Mapped[int]
    points: Mapped[int] = mapped_column(BigInteger)  # sum of scores, in millionths
