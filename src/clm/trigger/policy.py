"""Signals in, decision out. Pure."""

from dataclasses import dataclass

from clm.policies import PartsPolicy, TriggerPolicy


@dataclass(frozen=True)
class Decision:
    update: bool
    reason: str


def by_volume(policy: TriggerPolicy, new_rows: int, update_under_way: bool) -> Decision:
    """Enough accepted rows of a task since its last update was made, whatever became of that update."""
    if policy.volume is None:
        return Decision(False, "updates of this model are started by hand")
    if new_rows < policy.volume:
        return Decision(False, f"{new_rows} of {policy.volume} new rows")
    if update_under_way:
        return Decision(False, f"{new_rows} new rows wait for the update that is under way")
    return Decision(True, f"{new_rows} new rows, {policy.volume} are enough")


def by_parts(policy: PartsPolicy, parts: int, confused: float | None, update_under_way: bool) -> Decision:
    """A task has more parts than the policy allows, or its held-out prompts reach the wrong one too often."""
    if not policy.consolidate:
        return Decision(False, "parts of this model are made one by hand")
    if parts < 2:
        return Decision(False, "the task has one part")
    if parts > policy.most_parts:
        reason = f"{parts} parts, and the policy allows {policy.most_parts}"
    elif confused is not None and confused > policy.confused:
        reason = f"{confused:.0%} of the held-out prompts reach a part that was not taught their answer"
    else:
        return Decision(False, f"{parts} parts, and prompts find theirs")
    return Decision(not update_under_way, reason)
