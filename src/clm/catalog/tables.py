from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clm.core.database import Base


class Model(Base):
    """One LLM that is kept current. `policy` is a clm.policies.ModelPolicy."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(primary_key=True)
    base_reference: Mapped[str]  # "smollm2-135m-instruct", a folder, or a hub id
    base_hash: Mapped[str]
    policy: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(default=1)
    demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class PolicyRevision(Base):
    """A model's policy as it was at one of its revisions; kept from the first edit on."""

    __tablename__ = "policy_revisions"

    model: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    policy: Mapped[dict[str, Any]]
    actor: Mapped[str | None]  # None: what the model was created with
    reason: Mapped[str | None]
    created_at: Mapped[datetime]


class Task(Base):
    """Something the model must be able to do and never lose."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("model", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True)  # tsk_…
    model: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    metric: Mapped[str]
    margin: Mapped[float | None]  # None: the model policy's
    holdout: Mapped[float]  # share of each delivery's new rows that goes into the suite by itself
    exam: Mapped[str] = mapped_column(
        default="auto"
    )  # auto: held out what is taught by another row | held_out | recall
    open_slice: Mapped[int] = mapped_column(default=1)  # of the suite; the snapshot of each update closes it
    group: Mapped[str | None]  # tasks of a group share an adapter where the strategy is `joint`
    weight: Mapped[float] = mapped_column(default=1.0)  # > 0, in averages over tasks
    protected: Mapped[bool] = mapped_column(default=False)  # any shown loss fails; not removed without force
    watched: Mapped[bool] = mapped_column(default=False)  # evaluated with every update, though nothing teaches it
    removed_at: Mapped[datetime | None]  # set once the release without its expert serves; its history stays
    created_at: Mapped[datetime]
