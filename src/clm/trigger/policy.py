"""Signals in, decision out. Pure."""

from dataclasses import dataclass

from clm.policies import TriggerPolicy


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
