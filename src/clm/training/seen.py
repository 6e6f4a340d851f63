"""Which prompts the router learns from: a bounded number of each expert's, old and new ones, whatever comes often."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clm.llm.prompts import completion_text
from clm.llm.router import FEWEST_OF_ANSWER, Answers, Seen, answer_numbers
from clm.training.examples import Example

MOST_SEEN = 400  # prompts of an expert, or
OF_ANSWER = 60  # so many for each answer that repeats, where that is more; but never more than
MOST_KEPT = 4000


def task_answers(examples: Sequence[Example]) -> Answers:
    """`[n]`: which of these examples have the same answer; plain text has none."""
    return answer_numbers(["" if e.shape == "text" else completion_text(e.shape, e.content).strip() for e in examples])


def some(examples: Sequence[Example], seed: int) -> list[Example]:
    """As many as the router learns from, of each answer in turn; in their order."""
    return [examples[n] for n in _in_turn(task_answers(examples), seed)]


def together(old: Seen, new: Seen, seed: int) -> Seen:
    """Both, of each answer in turn: what was taught long ago must be found as well as what came last."""
    features = np.concatenate([old.features, new.features])
    if old.answers is None or new.answers is None:
        room = max(MOST_SEEN - len(new.features), MOST_SEEN // 2)
        first = np.sort(np.random.default_rng(seed).permutation(len(old.features))[:room])
        kept = [*first, *range(len(old.features), len(features))][:MOST_SEEN]
        return replace(new, features=features[kept], answers=None)
    answers = np.concatenate([old.answers, new.answers])
    kept = _in_turn(answers, seed)
    return replace(new, features=features[kept], answers=answers[kept])


def _in_turn(answers: Answers, seed: int) -> list[int]:
    """Rows to keep: by lot one of each answer, then a second of each, and so on."""
    _, numbers, counts = np.unique(answers, return_inverse=True, return_counts=True)
    most = min(MOST_KEPT, max(MOST_SEEN, OF_ANSWER * int((counts >= FEWEST_OF_ANSWER).sum())))
    if len(answers) <= most:
        return list(range(len(answers)))
    lots = np.random.default_rng(seed).permutation(len(answers))
    turn = np.zeros(len(answers), np.int64)
    taken = np.zeros(len(counts), np.int64)
    for row in lots:
        turn[row] = taken[numbers[row]]
        taken[numbers[row]] += 1
    place = np.empty(len(answers), np.int64)
    place[lots] = np.arange(len(answers))
    return sorted(np.lexsort((place, turn))[:most].tolist())
