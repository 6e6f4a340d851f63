"""Which prompts the router goes on knowing of an expert that is trained again and again."""

import numpy as np

from clm.llm.router import Seen, fit_router
from clm.training.examples import Example
from clm.training.seen import MOST_SEEN, OF_ANSWER, some, together

WIDTH, CLASSES, ROWS = 24, 9, 70
random = np.random.default_rng(4)
CENTRES = random.normal(0, 3, (CLASSES * 8, WIDTH))


def delivery(number: int, rows: int = ROWS) -> Seen:
    """`CLASSES` answers of their own, `rows` prompts each."""
    answers = np.repeat(np.arange(number * CLASSES, (number + 1) * CLASSES), rows)
    features = CENTRES[answers] + random.normal(0, 1, (len(answers), WIDTH))
    return Seen(features.astype(np.float32), answers, None)


def counts(seen: Seen) -> dict[int, int]:
    assert seen.answers is not None
    return dict(zip(*np.unique(seen.answers, return_counts=True), strict=True))


def test_what_was_taught_first_is_known_as_well_as_what_came_last() -> None:
    known = delivery(0)
    for number in range(1, 7):
        known = together(known, delivery(number), seed=1)
    of = counts(known)
    assert len(of) == 7 * CLASSES and set(of.values()) == {OF_ANSWER}

    other = delivery(7)
    strangers = random.normal(0, 9, (60, WIDTH)).astype(np.float32)
    router = fit_router({"old": known.features, "other": other.features}, strangers, seed=1,
                        answers={"old": known.answers, "other": other.answers})  # fmt: skip
    assert router.route(delivery(0).features).count("other") <= 0.02 * CLASSES * ROWS


def test_facts_that_come_once_are_kept_up_to_a_bound_old_and_new_alike() -> None:
    def facts(start: int, count: int) -> Seen:
        return Seen(random.normal(0, 1, (count, 4)).astype(np.float32), np.arange(start, start + count), None)

    kept = together(facts(0, 400), facts(400, 400), seed=1)
    assert kept.answers is not None and len(kept.features) == MOST_SEEN
    assert 150 < (kept.answers < 400).sum() < 250
    small = together(facts(0, 30), facts(30, 6), seed=1)
    assert small.answers is not None and small.answers.tolist() == list(range(36))


def test_features_from_before_answers_were_kept_still_count() -> None:
    old = Seen(np.zeros((400, 4), np.float32), None, None)
    new = Seen(np.ones((300, 4), np.float32), np.arange(300), None)
    kept = together(old, new, seed=1)
    assert kept.answers is None and len(kept.features) == MOST_SEEN
    assert (kept.features[:, 0] == 0).sum() == 200


def test_of_many_rows_the_rare_answer_is_looked_at_too() -> None:
    def row(number: int, answer: str) -> Example:
        return Example(str(number), "completion", {"prompt": f"row {number}", "completion": answer})

    rows = [row(n, "common") for n in range(990)] + [row(n, "rare") for n in range(990, 1000)]
    chosen = some(rows, seed=1)
    assert len(chosen) == MOST_SEEN
    assert sum(one.content["completion"] == "rare" for one in chosen) == 10
    assert some(rows[:50], seed=1) == rows[:50]
