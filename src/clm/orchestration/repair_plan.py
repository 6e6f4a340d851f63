"""What is tried next to save an update that the gate did not let pass. Pure.

First the way from the old expert to the new one is searched by bisection for the largest step that passes: a part of
what was learnt, at a part of the price (see `clm.training.interpolation`). Where no step helps, the task is learnt
again with more of its older rows. Each try is judged like the update itself, on the same examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clm.core.hashing import short
from clm.policies import RepairPolicy
from clm.records import GateVerdict, RepairTry

FIRST_SHARE = 0.5  # replayed rows per new row that a policy without replay starts from


@dataclass(frozen=True)
class Interpolate:
    step: float  # 0: the old expert, 1: the new one


@dataclass(frozen=True)
class Replay:
    share: float  # older rows per new row


def worth_repairing(verdict: GateVerdict) -> bool:
    """Nothing to repair where no loss was measured: what is missing then is examples that prove it, or a gain."""
    if verdict.learned_nothing:
        return False
    if verdict.verdict == "inconclusive":
        return any(task.difference < 0 for task in verdict.tasks)
    return verdict.verdict == "fail"


def next_try(
    policy: RepairPolicy, replay_share: float, refreshes: bool, tries: Sequence[RepairTry]
) -> Interpolate | Replay | None:
    """None: nothing is left to try, or what was tried helped.

    `replay_share` is what the update had; `refreshes` says that it went on from an older expert of its task: there is
    no way to search, and there are no older rows, where a task was learnt for the first time.
    """
    if not refreshes:
        return None
    looks = [one for one in tries if one.kind == "interpolate"]
    replays = [one for one in tries if one.kind == "replay"]
    if policy.interpolate and len(looks) < policy.looks and not replays and not _stuck(looks):
        return Interpolate(_middle(looks))
    if chosen(tries) is not None or len(replays) >= policy.replay_tries or _stuck(replays):
        return None
    return Replay((replay_share or FIRST_SHARE) * policy.replay_factor ** (len(replays) + 1))


def chosen(tries: Sequence[RepairTry]) -> int | None:
    """The try that is kept: the largest step that passes and still gains, else the training that does."""
    helped = [number for number, one in enumerate(tries) if helps(one)]
    return max(helped, key=lambda number: tries[number].step or 0.0, default=None)


def helps(one: RepairTry) -> bool:
    """A candidate that passes because it hardly differs from the champion repairs nothing."""
    return one.verdict == "pass" and one.gain is not None and one.gain > 0


def folder_of(update: Path, number: int) -> Path:
    """Where try `number`, counted from 0, keeps its jobs."""
    return update / "repair" / str(number + 1)


def sentence(number: int, task: str, one: RepairTry) -> str:
    scores = ", ".join(f"{name} {score:.2f}" for name, score in one.scores.items())
    made = f" (expert {short(one.expert_hash)})" if one.expert_hash else ""
    return f"Try {number + 1}, {_what(one)}{made}: {scores or 'nothing to measure'}; {_found(task, one)}."


def story(task: str, tries: Sequence[RepairTry]) -> str:
    """How it went, for the record: which try helped, or why none did."""
    kept = chosen(tries)
    if kept is not None:
        one = tries[kept]
        return f"Repaired by try {kept + 1} of {len(tries)}: {_what(one)} passes the gate and gains {_gain(task, one)}."
    told = "; ".join(f"{_what(one)}: {_found(task, one)}" for one in tries)
    return f"{len(tries)} repairs were tried and none helped ({told})."


def _middle(looks: Sequence[RepairTry]) -> float:
    """Between the largest step that passed and the smallest that did not: smaller steps change less."""
    passed = max((one.step or 0.0 for one in looks if one.verdict == "pass"), default=0.0)
    beyond = [one.step for one in looks if one.step is not None and one.verdict != "pass" and one.step > passed]
    return (passed + min(beyond, default=1.0)) / 2


def _stuck(tries: Sequence[RepairTry]) -> bool:
    return any(one.verdict == "error" for one in tries)


def _what(one: RepairTry) -> str:
    if one.kind == "interpolate":
        return f"step {one.step:g} from the old expert to the new"
    return f"trained again with {one.replay_share:g} older rows per new row"


def _found(task: str, one: RepairTry) -> str:
    if one.verdict == "error":
        return one.reason.rstrip(".")
    if one.verdict == "pass" and not helps(one):
        return f"passes, but gains nothing ({_gain(task, one)}), so it repairs nothing"
    return f"gate {one.verdict}, {_gain(task, one)}"


def _gain(task: str, one: RepairTry) -> str:
    return f"{task} {one.gain or 0.0:+.2f}"
