"""How often held-out prompts reach a part of their task that was not taught their answer, while another part was."""

from collections.abc import Mapping
from pathlib import Path

from clm.formats.answers import read_answers
from clm.llm.router import answer_numbers, load_features
from clm.records import Evaluation, part_number, task_of


def confused(evaluation: Evaluation, features: Mapping[str, Path]) -> dict[str, float]:
    """Per task with several parts; without those whose answers no part repeats. `features`: router features by expert.

    The router was fitted on what the parts were taught, so only held-out prompts tell.
    """
    experts = evaluation.composition.experts
    several = {task_of(name) for name in experts if part_number(name) > 1}
    answers = [row for row in read_answers(Path(evaluation.answers)) if row.task in several] if several else []
    shares: dict[str, float] = {}
    for task in sorted(several):
        taught = {name: load_features(features[name]).answers for name in evaluation.composition.parts(task)}
        own = [row for row in answers if row.task == task]
        numbers = answer_numbers([row.reference.strip() for row in own])
        wrong = known = 0
        for routed, number in zip((row.routed for row in own), numbers, strict=True):
            owners = {name for name, own_answers in taught.items() if own_answers is not None and number in own_answers}
            known += bool(owners)
            wrong += bool(owners) and routed in taught and routed not in owners
        if known:
            shares[task] = round(wrong / known, 4)
    return shares
