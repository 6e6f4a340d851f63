"""What the gate says of a candidate. A part of `clm.records`, where everyone takes it from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

VerdictName = Literal["pass", "fail", "inconclusive"]
PassedBy = Literal["route", "scores", "likelihood"]  # what rules a loss out, see clm.evaluation.ruling_out


@dataclass(frozen=True)
class SliceVerdict:
    """A part of a task's suite. `fail`: a loss of more than the margin is shown on it; `pass`: none is."""

    name: str  # "legacy" and "new" (all such slices together), "recall" (taught prompts), or "slice 3"
    verdict: VerdictName
    candidate: float
    champion: float
    difference: float
    n: int
    stale: int = 0  # answers of the candidate that were superseded


@dataclass(frozen=True)
class TaskVerdict:
    """Paired comparison on one task: difference = candidate - champion over its held-out examples, with its one-sided
    lower bound over all that were examined, taught prompts too."""

    task: str
    verdict: VerdictName
    reason: str
    candidate: float
    champion: float
    difference: float
    lower_bound: float
    margin: float
    n: int
    more_examples: int | None = None  # for inconclusive: about how many more would decide
    p_value: float | None = None  # one-sided, of "no worse than the champion": exact McNemar, or by betting
    power: float | None = None  # how likely an update that changes nothing passes with this many examples
    since_best: float | None = None  # difference to the best release that the task ever had, where that is another
    slices: tuple[SliceVerdict, ...] = ()
    passed_by: PassedBy | None = None  # what rules a loss out, even where nothing is gained; None: nothing does
    changed: int | None = None  # examples that another expert answers than before; None: not known
    stale: int = 0  # answers of the candidate that were superseded


@dataclass(frozen=True)
class GateVerdict:
    verdict: VerdictName
    reason: str
    tasks: tuple[TaskVerdict, ...]
    learned_nothing: bool = False  # why it failed: no loss, but no gain either, see clm.evaluation.learned
    doubted: bool = False  # why it failed: its rows look mislabelled, see clm.evaluation.doubt
    average: float | None = None  # weighed over the tasks, difference to the best that each ever had; None: under two


@dataclass(frozen=True)
class RepairTry:
    """One try to save an update that the gate did not let pass."""

    kind: Literal["interpolate", "replay", "route"]
    step: float | None  # of an interpolation: how far from the old expert (0) to the new one (1)
    replay_share: float | None  # of a training with more replay: older rows per new row
    expert_hash: str | None  # None: nothing came of it, `reason` says why
    scores: dict[str, float]  # the candidate's, by task
    gain: float | None  # on the updated task, against the champion
    verdict: VerdictName | Literal["error"]  # the gate's; error: it could not be done
    reason: str
    handicap: float | None = None  # of a router: how many times as far prompts seem from the taught task
    no_loss: bool = False  # a loss is ruled out on every task, whether or not something is gained

    @property
    def helps(self) -> bool:
        """A candidate that passes because it hardly differs from the champion repairs nothing."""
        return self.verdict == "pass" and self.gain is not None and self.gain > 0


def kept_try(tries: Sequence[RepairTry]) -> int | None:
    """The try that is kept: the largest step that passes and still gains, else the training that does."""
    helped = [number for number, one in enumerate(tries) if one.helps]
    return max(helped, key=lambda number: tries[number].step or 0.0, default=None)
