"""The update cycle, from data to traffic. Read this first.

One update teaches one task. It pins the data, trains, proves on every task's held-out suite that nothing got
worse, becomes a signed release, and then takes over the traffic step by step. Every stage is durable: after a
crash, the cycle goes on at the stage that had not finished, and ends where it would have ended.

The stages themselves live in `clm.stages`; who runs them (embedded DBOS here) decides what `Stages` is.
"""

from typing import Protocol

from clm.records import Evaluation, GateVerdict, Judged, Mixture, Release, Snapshot, Trained

STAGES = ("snapshot", "mixture", "train", "evaluate", "gate", "repair", "release", "rollout")


class Stages(Protocol):
    """What the cycle needs done. Each call is one durable step: done once, remembered, repeatable after a crash."""

    def snapshot(self, update_id: str) -> Snapshot: ...
    def mixture(self, update_id: str, snapshot: Snapshot) -> Mixture: ...
    def train(self, update_id: str, mixture: Mixture) -> Trained: ...
    def evaluate(self, update_id: str, snapshot: Snapshot, trained: Trained) -> dict[str, Evaluation]: ...
    def gate(self, update_id: str, trained: Trained, evaluations: dict[str, Evaluation]) -> GateVerdict: ...
    def repair(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Judged: ...
    def release(self, update_id: str, snapshot: Snapshot, candidate: Judged) -> Release: ...
    def rollout(self, update_id: str, release: Release) -> str: ...
    def reject(self, update_id: str, candidate: Judged) -> str: ...


def update_cycle(do: Stages, update_id: str) -> str:
    """Runs one update to its end and returns how it ended.

    Returns "succeeded", "rolled-back", "rejected" (the gate said no, and no repair helped) or "inconclusive" (the gate
    could not tell).
    Raises ClmError where a stage can't be done (no suite, NaN loss, …); the champion then stays untouched.
    """
    # Pin one version of every data table. Whatever arrives from here on belongs to the next update.
    snapshot = do.snapshot(update_id)

    # Choose what to learn from: the task's new rows and a replayed share of its old ones, never a held-out row.
    mixture = do.mixture(update_id, snapshot)

    # Train one expert of the task above the frozen trunk, a new one or one that it has, and fit the router again. All
    # others stay as they are.
    trained = do.train(update_id, mixture)

    # Let candidate and champion answer every task's suite, routed as in production. Known answers are reused.
    evaluations = do.evaluate(update_id, snapshot, trained)

    # Compare them pair by pair. Only one that learned something and is shown not to be worse anywhere goes on.
    candidate = Judged(mixture, trained, evaluations, do.gate(update_id, trained, evaluations))

    # Repair before reject: go only part of the way from the old expert to the new, or replay more; judged as before.
    if candidate.verdict.verdict != "pass":
        candidate = do.repair(update_id, snapshot, candidate)
    if candidate.verdict.verdict != "pass":
        return do.reject(update_id, candidate)

    # Bundle, sign and register what was proven, with its lineage. The bundle is named by its content.
    release = do.release(update_id, snapshot, candidate)

    # Move the traffic over, watching. The old release stays warm: going back takes a moment, at any time.
    return do.rollout(update_id, release)
