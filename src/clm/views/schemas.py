from typing import Literal

from clm.catalog.schemas import TaskOut
from clm.core.schemas import Schema, Time
from clm.records import Metric, SliceKind
from clm.updates.schemas import UpdateOut

Level = Literal["ok", "attention", "problem", "empty"]


class CellOut(Schema):
    release_id: str | None
    number: int | None
    update_id: str | None
    suite_hash: str
    score: float
    n: int
    misrouted: int
    state: Literal["released", "rejected"]


class SliceCellOut(Schema):
    release_id: str | None
    number: int | None
    update_id: str | None
    suite_hash: str
    score: float
    n: int
    stale: int  # answers that were superseded
    is_new: bool  # the champion was not examined on this slice before


class LedgerSliceOut(Schema):
    slice: int  # 0: taught prompts
    kind: SliceKind
    cells: list[SliceCellOut]


class TrackOut(Schema):
    """What a release or a rejected update scores on what is old and on what is new."""

    release_id: str | None
    number: int | None
    update_id: str | None
    legacy: float | None
    new: float | None
    recall: float | None
    stale: int


class LedgerTaskOut(Schema):
    task: str
    metric: Metric
    cells: list[CellOut]
    best: float | None
    first: float | None
    previous: float | None
    current: float | None
    slices: list[LedgerSliceOut] = []
    tracks: list[TrackOut] = []


class LedgerOut(Schema):
    model: str
    tasks: list[LedgerTaskOut]
    average_performance: float | None
    weighted: bool = False  # whether the tasks' weights are in the average
    backward_transfer: float | None
    forward_transfer: float | None
    forgetting: float | None
    forgetting_from_first: float | None
    general_change: float | None
    as_of: Time | None


class Verdict(Schema):
    level: Level
    sentence: str


class ReleaseRef(Schema):
    release_id: str
    number: int


class Serving(Schema):
    champion: ReleaseRef
    previous: ReleaseRef | None
    candidate: ReleaseRef | None
    candidate_share: float


class Attention(Schema):
    level: Literal["attention", "problem"]
    sentence: str
    link: str


class HomeEvent(Schema):
    sequence: int
    at: Time
    actor: str
    action: str
    object_kind: str
    object_id: str
    sentence: str


class Overview(Schema):
    as_of: Time
    verdict: Verdict
    models: list[str]
    model: str | None
    serving: Serving | None
    ledger: LedgerOut | None
    running_update: UpdateOut | None
    attention: list[Attention]
    events: list[HomeEvent]


class TaskRow(TaskOut):
    rows: int  # that updates learn from
    suite: int  # held-out examples


class TaskList(Schema):
    items: list[TaskRow]
    next_cursor: str | None = None


class ExampleRow(Schema):
    record_id: str
    slice: int
    kind: SliceKind
    prompt: str
    answer: str
    old_answers: list[str]  # superseded ones


class ExampleList(Schema):
    items: list[ExampleRow]
    next_cursor: str | None = None


class SettingOut(Schema):
    name: str
    value: str | int | float | bool | None
    default: str | int | float | bool | None
    meaning: str


class SettingsOut(Schema):
    items: list[SettingOut]
