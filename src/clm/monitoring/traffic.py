"""How traffic is counted: per minute, hour and day, by latency, so that a look costs the same however long it reaches.

Pure. A window is put together of whole days, then the hours before them, the minutes before those, and the answers of
the part of a minute before those: a few thousand numbers at the most, and one row more per day and latency after that.

Latencies are counted in buckets that each reach 5 % further than the one before. A latency that is read from them is
within 2.5 % of the true one (from 1 ms to 12 days), always the same for the same answers in whatever order they came;
limits on latency are far coarser than that. Scores are summed in millionths, so that sums have no order either.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import reduce
from itertools import pairwise
from operator import add
from typing import NamedTuple

from clm.errors import ClientGone
from clm.records import TrafficWindow

SPANS = (60, 3600, 86_400)  # seconds
_GROWTH = 1.05
_SLOWEST = 425  # the bucket from 12 days on, and for what is no number
_POINTS = 1_000_000  # of the score 1


class Counted(NamedTuple):
    requests: int = 0
    errors: int = 0
    feedback: int = 0
    points: int = 0  # sum of the feedback's scores, in millionths

    def plus(self, other: "Counted") -> "Counted":
        return Counted(*map(add, self, other))


class Slot(NamedTuple):
    """Whole spans since 1970: where the database counts."""

    span: int
    first: int
    end: int | None  # exclusive; None: all after it


def count(status: int, error: str | None, score: float | None = None) -> Counted:
    """Of one answer, with its feedback. Who left before it was whole says nothing of the release, and its latency is
    nobody's."""
    left = status == ClientGone.status
    said = (0, 0) if score is None else (1, points_of(score))
    return Counted(0, 0, *said) if left else Counted(1, int(error is not None), *said)


def points_of(score: float) -> int:
    return round(score * _POINTS)


def bucket_of(latency_ms: float) -> int:
    if latency_ms <= 1:
        return 0
    return min(math.ceil(math.log(latency_ms, _GROWTH)), _SLOWEST) if math.isfinite(latency_ms) else _SLOWEST


def latency_of(bucket: int) -> float:
    """In the middle of a bucket, as seen from both its ends."""
    return 2 * _GROWTH**bucket / (_GROWTH + 1) if bucket else 1.0


def slots_of(at: datetime) -> Iterator[tuple[int, int]]:
    """The minute, hour and day of an answer, each with its span."""
    return ((span, int(at.timestamp() // span)) for span in SPANS)


def slots_since(since: datetime) -> tuple[datetime, list[Slot]]:
    """All time from a moment on, in whole slots from the first full minute on; what is before it has to be read."""
    starts = [math.ceil(since.timestamp() / SPANS[0])]
    for span, longer in pairwise(SPANS):
        starts.append(-(-starts[-1] * span // longer))
    ends = [start * longer // span for start, (span, longer) in zip(starts[1:], pairwise(SPANS), strict=True)]
    edge = datetime.fromtimestamp(starts[0] * SPANS[0], since.tzinfo)
    return edge, [Slot(*slot) for slot in zip(SPANS, starts, [*ends, None], strict=True)]


def window_of(buckets: Mapping[int, Counted]) -> TrafficWindow:
    """The p95 is by nearest rank: the bucket of the smallest latency that 95 % of the requests did not exceed."""
    all_ = reduce(Counted.plus, buckets.values(), Counted())
    rank, passed, p95 = -(-95 * all_.requests // 100), 0, None  # ceiling, 1-based
    for bucket in sorted(buckets):
        passed += buckets[bucket].requests
        if all_.requests and passed >= rank:
            p95 = latency_of(bucket)
            break
    mean = all_.points / _POINTS / all_.feedback if all_.feedback else None
    return TrafficWindow(all_.requests, all_.errors, p95, all_.feedback, mean)
