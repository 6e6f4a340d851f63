"""What the gate takes, and what it finds of one comparison. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clm.evaluation.comparison import Comparison, ExampleScore
from clm.evaluation.ruling_out import NOT_RULED_OUT, Handed, RuledOut
from clm.evaluation.slices import Part
from clm.records import SliceVerdict, VerdictName


@dataclass(frozen=True)
class BestEver:
    """The best release that a task ever had, scored on the examples that the candidate answered too."""

    name: str  # "v3"
    scores: Sequence[ExampleScore]
    margin: float
    chosen_from: int  # comparable releases


@dataclass(frozen=True)
class Terms:
    """What else a verdict goes by; each by task where it is a mapping."""

    tries: int = 0  # kinds of repairs among which the error rate of a pass is split, see clm.evaluation.spending
    is_try: bool = False  # the candidate is one of them
    legacy: Mapping[str, int] = field(default_factory=dict[str, int])  # newest slice that is not new; none: all are old
    handed: Mapping[str, Handed] = field(default_factory=dict[str, Handed])
    require_gain: bool = True  # on new slices
    weights: Mapping[str, float] = field(default_factory=dict[str, float])  # in the average; 1 where there is none
    overall_margin: float | None = None  # of the average; None: it is not judged


@dataclass(frozen=True)
class Side:
    """A task's candidate and what it is compared with: the champion, or the best release."""

    task: str
    best: BestEver | None
    ours: Sequence[ExampleScore]
    theirs: Sequence[ExampleScore]
    margin: float | None


@dataclass(frozen=True)
class Finding:
    side: Side
    verdict: VerdictName
    trouble: str | None = None
    level: float = 0.0  # how likely a true loss of the margin may pass
    pair: Comparison | None = None
    judged: Comparison | None = None  # what has to pass: the older examples, where they are enough; None: all of them
    ruled: RuledOut = NOT_RULED_OUT
    held_back: tuple[str, ...] = ()  # why it does not pass although a loss is ruled out
    parts: tuple[Part, ...] = ()
    slices: tuple[SliceVerdict, ...] = ()
    fails_at: float = 0.0  # the level that a fail needs of one comparison
