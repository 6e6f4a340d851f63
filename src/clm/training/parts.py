"""Grow or refresh: which of a task's experts an update trains.

*Refreshing* trains one expert of the task (a part) further, on the new rows and on what it is remembered to answer.
*Growing* trains a further part on the new rows alone: nothing old is touched, but the router may send old prompts to
it. `clm.training.part_choice` decides; where neither is obvious, `clm.training.part_trials` tries both. *Consolidating*
makes one expert of all parts, from replay memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from clm.llm.base import Base
from clm.llm.router import Seen
from clm.policies import PartsPolicy, TrainingPolicy
from clm.records import Json, part_number, task_of
from clm.strategies import Distill
from clm.training.examples import Example
from clm.training.routing import point_of, see
from clm.training.seen import some, together

FEWEST_NEW = 20  # with fewer, what is held back says nothing
FEWEST_OLD = 10

Kind = Literal["new", "refresh", "grow", "consolidate"]


@dataclass(frozen=True)
class Known:
    """The experts that there are, of all tasks, and what the router knows of each, by name."""

    experts: Mapping[str, Path]
    seen: Mapping[str, Seen]

    def parts(self, task: str) -> list[str]:
        return sorted((name for name in self.experts if task_of(name) == task), key=part_number)


@dataclass(frozen=True)
class Choice:
    """How an update goes on. `part` is the name of the expert that is trained, `start` whose weights it goes on from
    (empty: fresh), `replay` are older rows beside the new ones, `merged` are parts that it replaces."""

    kind: Kind
    part: str
    start: str
    replay: tuple[Example, ...]
    reason: str
    merged: tuple[str, ...] = ()
    evidence: Json = field(default_factory=dict[str, Any])

    def record(self) -> Json:
        """What is kept of it with the update and the release."""
        return {"kind": self.kind, "part": self.part, "started_from": self.start or "fresh",
                "replayed": len(self.replay), "reason": self.reason,
                **({"merged": list(self.merged)} if self.merged else {}), **self.evidence}  # fmt: skip


def settled(evidence: Json, new: int, old: int, changed: int, policy: PartsPolicy) -> str | None:
    """Why nothing has to be tried before a part is refreshed; None: growing is a candidate. Pure."""
    if policy.grow == "never":
        return "the policy grows no parts"
    if changed:
        return f"{changed} facts changed, and a new part would leave their old answers within reach"
    if evidence["parts"] >= policy.most_parts:
        return f"the task has {evidence['parts']} parts, and the policy allows no more"
    if new < FEWEST_NEW or old < FEWEST_OLD:
        return f"{new} new and {old} old rows are too few to hold any back for a comparison"
    if max(evidence["new_answers"], evidence["elsewhere"]) < policy.unseen:
        return "the new rows are more of the same, with answers and prompts that the task knows"
    return None


def consolidation(task: str, old: Sequence[Example], known: Known, reason: str) -> Choice:
    """One expert of all parts, which goes on from the one that the router knows most of."""
    parts = known.parts(task)
    start = max(parts, key=lambda name: (len(known.seen[name].features), -part_number(name)))
    merged = tuple(name for name in parts if name != task)
    return Choice("consolidate", task, start, tuple(old), reason, merged, {"parts": len(parts)})


def seen_after(base: Base, choice: Choice, new: Sequence[Example], seen: Mapping[str, Seen], seed: int) -> Seen:
    """What the router knows of a part once it is trained: its older prompts still come."""
    before = [seen[name] for name in (choice.part, *choice.merged) if name in seen and choice.kind != "grow"]
    after = [see(base, some(new, seed), point_of(base, seen))] if new else []
    merged, *rest = [*before, *after]
    for each in rest:
        merged = together(merged, each, seed)
    return merged


def with_distillation(training: TrainingPolicy) -> TrainingPolicy:
    """One expert of several learns what was right, and stays near what they answered."""
    if any(isinstance(chosen, Distill) for chosen in training.strategies):
        return training
    return training.model_copy(update={"strategies": (*training.strategies, Distill())})


def next_name(task: str, parts: Sequence[str]) -> str:
    """Of a further part."""
    return f"{task}.{max(map(part_number, parts)) + 1}"
