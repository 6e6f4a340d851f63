"""The ledger's average where an operator has given tasks weights. Pure."""

from collections.abc import Collection, Mapping

from clm.evaluation.ledger import Ledger
from clm.views.schemas import LedgerOut


def weighed(ledger: Ledger, learned: Collection[str], weights: Mapping[str, float]) -> LedgerOut:
    """The ledger to show; its average is weighted, and says so, where weights of learned tasks differ from 1."""
    shown = LedgerOut.model_validate(ledger)
    scores = {line.task: line.current for line in ledger.tasks if line.task in learned and line.current is not None}
    weight_of = {task: weights.get(task, 1.0) for task in scores}
    if all(weight == 1 for weight in weight_of.values()):
        return shown
    average = sum(weight_of[task] * score for task, score in scores.items()) / sum(weight_of.values())
    return shown.model_copy(update={"average_performance": average, "weighted": True})
