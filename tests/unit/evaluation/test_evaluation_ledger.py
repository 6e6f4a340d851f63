from datetime import UTC, datetime, timedelta

import pytest

from clm.evaluation.ledger import Ledger, LedgerRow, ReleaseFact, best_releases, build_ledger

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(task: str, release: str | None, score: float, at: int, suite: str = "s1") -> LedgerRow:
    return LedgerRow(task, "exact_match", release, f"upd{at}", suite, score, 80, 0, START + timedelta(minutes=at))


FACTS = [
    ReleaseFact("r1", 1, frozenset({"a"})),
    ReleaseFact("r2", 2, frozenset({"a", "b"})),
    ReleaseFact("r3", 3, frozenset({"a", "b", "c"})),
]
# Lower triangle as in the papers, with b already seen (badly) before it was learned.
ROWS = [
    row("a", "r1", 0.9, 1), row("b", "r1", 0.1, 1),
    row("a", "r2", 0.95, 2), row("b", "r2", 0.8, 2),
    row("a", "r3", 0.6, 3), row("b", "r3", 0.85, 3), row("c", "r3", 0.7, 3),
]  # fmt: skip


def line(ledger: Ledger, task: str):
    return next(entry for entry in ledger.tasks if entry.task == task)


def test_the_published_definitions() -> None:
    ledger = build_ledger("m", ROWS, FACTS)
    assert [entry.task for entry in ledger.tasks] == ["a", "b", "c"]
    assert ledger.average_performance == pytest.approx((0.6 + 0.85 + 0.7) / 3)
    assert ledger.backward_transfer == pytest.approx(((0.6 - 0.9) + (0.85 - 0.8)) / 2)
    assert ledger.forgetting == pytest.approx(((0.95 - 0.6) + (0.8 - 0.85)) / 2)
    assert ledger.forgetting_from_first == pytest.approx(((0.9 - 0.6) + (0.8 - 0.85)) / 2)
    assert ledger.forward_transfer is None  # nobody asked the untouched base
    assert ledger.as_of == START + timedelta(minutes=3)


def test_forward_transfer_is_what_a_task_got_from_others_before_it_was_learned() -> None:
    facts = [ReleaseFact("r0", 0, frozenset()), *FACTS]
    rows = [*ROWS, row("c", "r2", 0.4, 2), row("a", "r0", 0.3, 0), row("b", "r0", 0.05, 0), row("c", "r0", 0.2, 0)]
    ledger = build_ledger("m", rows, facts)
    assert ledger.forward_transfer == pytest.approx(((0.1 - 0.05) + (0.4 - 0.2)) / 2)
    assert ledger.backward_transfer == build_ledger("m", ROWS, FACTS).backward_transfer


def test_general_change_is_over_what_no_release_was_taught() -> None:
    facts = [ReleaseFact("r0", 0, frozenset()), *FACTS]
    rows = [*ROWS, row("a", "r0", 0.3, 0), row("general", "r0", 0.8, 0), row("general", "r2", 0.9, 2),
            row("general", "r3", 0.75, 3)]  # fmt: skip
    assert build_ledger("m", rows, facts).general_change == pytest.approx(0.75 - 0.8)
    assert build_ledger("m", rows, facts, current="r2").general_change == pytest.approx(0.9 - 0.8)
    assert build_ledger("m", rows, facts, current="r1").general_change is None  # not measured then
    assert build_ledger("m", rows[:-3], facts).general_change is None  # no general suite
    other = [*rows, row("general", "r3", 1.0, 4, suite="s2")]
    assert build_ledger("m", other, facts).general_change is None  # the base never answered the new suite


def test_the_best_release_of_each_task_and_how_many_differed() -> None:
    facts = [*FACTS, ReleaseFact("r4", 4, frozenset({"a", "b", "c"}))]
    rows = [*ROWS, row("a", "r4", 0.6, 4), row("b", "r4", 0.7, 4), row("b", None, 0.99, 5)]
    bests = best_releases(rows, facts)
    assert (bests["a"].release_id, bests["a"].number, bests["a"].score) == ("r2", 2, 0.95)
    assert bests["a"].chosen_from == 3  # r4 answered as r3 did
    assert (bests["b"].release_id, bests["b"].chosen_from) == ("r3", 3)  # neither the base's score nor a rejected one
    assert bests["c"].release_id == "r3"
    assert best_releases(rows, facts, current="r2")["b"].release_id == "r2"
    same = [row("a", "r1", 0.9, 1), row("a", "r2", 0.9, 2)]
    assert best_releases(same, FACTS)["a"].number == 2  # the newest of equals
    assert best_releases([row("a", "r1", 0.99, 1, "old"), *ROWS[2:]], FACTS)["a"].release_id == "r2"
    assert best_releases([], []) == {}


def test_a_line_knows_best_first_previous_and_current() -> None:
    a, b = (line(build_ledger("m", ROWS, FACTS), task) for task in ("a", "b"))
    assert (a.best, a.first, a.previous, a.current) == (0.95, 0.9, 0.95, 0.6)
    assert (b.best, b.first, b.previous, b.current) == (0.85, 0.8, 0.8, 0.85)
    assert [cell.number for cell in b.cells] == [1, 2, 3]


def test_after_a_rollback_the_champion_counts() -> None:
    ledger = build_ledger("m", ROWS, FACTS, current="r2")
    assert ledger.average_performance == pytest.approx((0.95 + 0.8) / 2)
    assert ledger.backward_transfer == pytest.approx(0.95 - 0.9)
    assert line(ledger, "c").current is None


def test_rejected_candidates_are_shown_and_count_for_nothing() -> None:
    before = build_ledger("m", ROWS, FACTS)
    ledger = build_ledger("m", [*ROWS, row("a", None, 0.1, 4)], FACTS)
    assert line(ledger, "a").cells[-1].state == "rejected"
    assert ledger.backward_transfer == before.backward_transfer
    assert line(ledger, "a").current == 0.6


def test_scores_of_another_suite_version_are_not_compared() -> None:
    rows = [entry for entry in ROWS if entry.task != "a"]
    rows += [row("a", "r1", 0.2, 1, "old"), row("a", "r2", 0.9, 2, "new"), row("a", "r3", 0.9, 3, "new")]
    a = line(build_ledger("m", rows, FACTS), "a")
    assert (a.first, a.best, a.current) == (0.9, 0.9, 0.9)
    assert len(a.cells) == 3


def test_nothing_learned_or_nothing_earlier_has_no_numbers() -> None:
    empty = build_ledger("m", [], [])
    assert (empty.tasks, empty.average_performance, empty.backward_transfer, empty.as_of) == ((), None, None, None)
    first = build_ledger("m", ROWS[:1], FACTS[:1])
    assert first.average_performance == 0.9
    assert first.backward_transfer is None and first.forgetting is None


def test_a_refresh_counts_the_task_as_learned_once() -> None:
    facts = [*FACTS, ReleaseFact("r4", 4, frozenset({"a", "b", "c"}))]
    ledger = build_ledger("m", [*ROWS, row("a", "r4", 0.92, 4), row("c", "r4", 0.7, 4)], facts)
    assert line(ledger, "a").first == 0.9
    assert line(ledger, "b").current is None  # not evaluated under r4: no number is made up
    assert ledger.backward_transfer == pytest.approx(((0.92 - 0.9) + 0.0) / 2)
