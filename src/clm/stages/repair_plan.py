"""What is tried next to save an update that the gate did not let pass. Pure.

Where only tasks lost whose experts did not change, prompts went astray: the router is asked again with a handicap for
the task that was taught, and nothing is trained. Else the way from the old expert to the new one is gone in even steps,
the smallest first, until one is not shown to lose nothing: a part of what was learned, at a part of the price (see
`clm.training.interpolation`). The order is that of `clm.evaluation.spending`. Where no step helps, the task is learned
again with more of its older rows. Each try is judged like the update itself, on the same examples.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clm.core.hashing import short
from clm.policies import RepairPolicy
from clm.records import GateVerdict, RepairTry, kept_try

FIRST_SHARE = 0.5  # replayed rows per new row that a policy without replay starts from


@dataclass(frozen=True)
class Interpolate:
    step: float  # 0: the old expert, 1: the new one


@dataclass(frozen=True)
class Replay:
    share: float  # older rows per new row


@dataclass(frozen=True)
class Reroute:
    handicap: float  # prompts seem so many times as far from the taught task as they are


Attempt = Interpolate | Replay | Reroute


def worth_repairing(verdict: GateVerdict) -> bool:
    """Nothing to repair where no loss was measured: what is missing then is examples that prove it, or a gain; nor
    where the rows are wrong."""
    if verdict.learned_nothing or verdict.doubted:
        return False
    if verdict.verdict == "inconclusive":
        return any(task.difference < 0 for task in verdict.tasks)
    return verdict.verdict == "fail"


def lost_by_route(verdict: GateVerdict, taught: Collection[str]) -> bool:
    """Whether a loss was measured, and only on tasks that were not taught and have prompts that changed hands."""
    lost = [task for task in verdict.tasks if task.verdict != "pass" and task.difference < 0]
    return bool(lost) and all(task.task not in taught and task.changed for task in lost)


def next_try(
    policy: RepairPolicy, replay_share: float, refreshes: bool, tries: Sequence[RepairTry], by_route: bool = False
) -> Attempt | None:
    """None: nothing is left to try, or what was tried helped.

    `replay_share` is what the update had; `refreshes` says that it went on from an older expert of its task: there is
    no way to go in steps, and there are no older rows, where a task was learned for the first time.
    """
    if by_route:
        if kept_try(tries) is not None or len(tries) >= policy.route_tries or _stuck(tries):
            return None
        return Reroute(policy.handicap ** (len(tries) + 1))
    if not refreshes:
        return None
    looks = [one for one in tries if one.kind == "interpolate"]
    replays = [one for one in tries if one.kind == "replay"]
    if policy.interpolate and len(looks) < policy.looks and not replays and all(one.no_loss for one in looks):
        return Interpolate((len(looks) + 1) / (policy.looks + 1))
    if kept_try(tries) is not None or len(replays) >= policy.replay_tries or _stuck(replays):
        return None
    return Replay((replay_share or FIRST_SHARE) * policy.replay_factor ** (len(replays) + 1))


def begun(attempt: Attempt) -> RepairTry:
    """As it is told before anything came of it."""
    nothing = RepairTry("replay", None, None, None, {}, None, "error", "")
    if isinstance(attempt, Interpolate):
        return replace(nothing, kind="interpolate", step=attempt.step)
    if isinstance(attempt, Reroute):
        return replace(nothing, kind="route", handicap=attempt.handicap)
    return replace(nothing, replay_share=attempt.share)


def folder_of(update: Path, number: int) -> Path:
    """Where try `number`, counted from 0, keeps its jobs."""
    return update / "repair" / str(number + 1)


def sentence(number: int, task: str, one: RepairTry) -> str:
    scores = ", ".join(f"{name} {score:.2f}" for name, score in one.scores.items())
    expert = f" (expert {short(one.expert_hash)})" if one.expert_hash else ""
    return f"Try {number + 1}, {_what(one)}{expert}: {scores or 'nothing to measure'}; {_found(task, one)}."


def story(task: str, tries: Sequence[RepairTry]) -> str:
    """How it went, for the record: which try helped, or why none did."""
    kept = kept_try(tries)
    if kept is not None:
        one = tries[kept]
        return f"Repaired by try {kept + 1} of {len(tries)}: {_what(one)} passes the gate and gains {_gain(task, one)}."
    sentences = "; ".join(f"{_what(one)}: {_found(task, one)}" for one in tries)
    return f"{len(tries)} repairs were tried and none helped ({sentences})."


def _stuck(tries: Sequence[RepairTry]) -> bool:
    return any(one.verdict == "error" for one in tries)


def _what(one: RepairTry) -> str:
    if one.kind == "interpolate":
        return f"step {one.step:g} from the old expert to the new"
    if one.kind == "route":
        return f"prompts seem {one.handicap:g} times as far from the taught task"
    return f"trained again with {one.replay_share:g} older rows per new row"


def _found(task: str, one: RepairTry) -> str:
    if one.verdict == "error":
        return one.reason.rstrip(".")
    if one.verdict == "pass" and not one.helps:
        return f"passes, but gains nothing ({_gain(task, one)}), so it repairs nothing"
    return f"gate {one.verdict}, {_gain(task, one)}"


def _gain(task: str, one: RepairTry) -> str:
    return f"{task} {one.gain or 0.0:+.2f}"
