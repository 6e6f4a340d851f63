from typing import Annotated, Any

from pydantic import Field

from clm.core.schemas import Body, Schema, Time
from clm.facts import Exam
from clm.policies import ModelPolicy
from clm.records import Metric


class TaskOut(Schema):
    name: str
    description: str
    metric: Metric
    margin: float | None
    holdout: float
    exam: Exam
    open_slice: int
    group: str | None
    weight: float
    protected: bool
    watched: bool
    created_at: Time


EXAM = "auto: rows are held out where their answer is taught by others, facts are asked again | held_out | recall"


class ModelOut(Schema):
    name: str
    base_reference: str
    base_hash: str
    revision: int
    demo: bool
    policy: ModelPolicy
    created_at: Time
    tasks: list[TaskOut]


class SettingChange(Schema):
    setting: str
    before: Any
    after: Any


class PolicyOut(Schema):
    model: str
    revision: int
    policy: ModelPolicy
    changed: list[SettingChange] = Field(description="against the defaults, or against what an edit found")


class PolicyRevisionOut(Schema):
    revision: int
    actor: str | None
    reason: str | None
    created_at: Time


class PolicyRevisionList(Schema):
    items: list[PolicyRevisionOut]
    next_cursor: str | None = None


class ModelList(Schema):
    items: list[ModelOut]
    next_cursor: str | None = None


class TaskIn(Body):
    name: str
    metric: Metric = "exact_match"
    margin: Annotated[float | None, Field(gt=0, lt=1)] = None
    holdout: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    exam: Annotated[Exam, Field(description=EXAM)] = "auto"
    description: str = ""
    group: str | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    protected: bool = False
    watched: bool = False


class TaskEdit(Body):
    """What is left out stays as it is."""

    margin: Annotated[float | None, Field(gt=0, lt=1)] = None
    holdout: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    exam: Annotated[Exam, Field(description=EXAM)] = "auto"
    description: str = ""
    group: str | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    protected: bool = False
    watched: bool = False
