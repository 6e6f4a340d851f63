"""All duties of the worker, each with its pace: seconds from the end of one tick to the beginning of the next."""

from collections.abc import Mapping

from clm.duties.anchors import Anchors
from clm.duties.duty import Duty
from clm.duties.lessons import Lessons
from clm.duties.operations import Operations
from clm.duties.queue import Queue
from clm.duties.retention import Retention
from clm.duties.rollouts import Rollouts
from clm.duties.sources import Sources
from clm.duties.tracking import Tracking
from clm.duties.triggers import Triggers

DUTIES: Mapping[str, tuple[type[Duty], float]] = {
    "queue": (Queue, 0.5),
    "rollouts": (Rollouts, 0.5),
    "operations": (Operations, 0.5),
    "sources": (Sources, 1.0),
    "triggers": (Triggers, 1.0),
    "tracking": (Tracking, 2.0),
    "anchors": (Anchors, 900.0),
    "lessons": (Lessons, 60.0),
    "retention": (Retention, 3600.0),
}
