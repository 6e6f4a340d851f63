"""Protected tasks: for them any shown loss fails, however small and whatever the margin. Pure."""

from collections.abc import Collection
from dataclasses import replace

from clm.evaluation.significance import holm
from clm.records import GateVerdict, TaskVerdict


def protect(verdict: GateVerdict, protected: Collection[str], confidence: float) -> GateVerdict:
    """The gate's verdict, made stricter for protected tasks.

    A loss is shown where the p-value of "no worse than the champion" is at most 1 - confidence after Holm's correction
    over the protected tasks, so that protecting many of them does not make a wrong fail any likelier.
    """
    watched = [task for task in verdict.tasks if task.task in protected and task.p_value is not None]
    levels = holm([task.p_value if task.p_value is not None else 1.0 for task in watched])
    lost = {
        task.task
        for task, level in zip(watched, levels, strict=True)
        if task.verdict != "fail" and task.difference < 0 and level <= 1 - confidence
    }
    if not lost:
        return verdict
    tasks = tuple(_failed(task) if task.task in lost else task for task in verdict.tasks)
    reason = "; ".join(task.reason for task in tasks if task.verdict == "fail")
    return replace(verdict, verdict="fail", reason=f"Worse than allowed: {reason}.", tasks=tasks)


def _failed(task: TaskVerdict) -> TaskVerdict:
    reason = f"{task.reason}; it is protected, and a loss of {-task.difference:.2f} is shown"
    return replace(task, verdict="fail", reason=reason, more_examples=None)
