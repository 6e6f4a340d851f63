from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clm.core import events
from clm.core.database import Database, sqlite_url
from clm.evaluation.ledger import ReleaseFact, build_ledger
from clm.evaluation.repository import ledger_rows, save_scores, slice_rows
from clm.records import SliceScore, TaskScore

SCORE = TaskScore("intent", "exact_match", 0.9, 80, "suite-1", 2, 0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(sqlite_url(tmp_path / "clm.db"))
    database.migrate()
    yield database
    database.close()


def save(database: Database, update: str | None, release: str | None, *scores: TaskScore) -> None:
    with database.transaction() as session:
        save_scores(session, "m", update, release, {score.task: score for score in scores})


def saved(database: Database) -> list[tuple[str, str | None, str | None, str, float]]:
    with database.read() as session:
        return [(r.task, r.update_id, r.release_id, r.suite_hash, r.score) for r in ledger_rows(session, "m")]


def test_a_score_is_saved_once_per_release_task_and_suite(database: Database) -> None:
    facts = replace(SCORE, task="facts", score=0.8)
    for _ in range(2):
        save(database, "upd1", "rel1", SCORE)
    save(database, None, "rel1", SCORE, facts)  # seen again as a champion, now with one more task
    save(database, "upd2", "rel2", SCORE)
    save(database, "upd2", "rel2", replace(SCORE, suite_hash="suite-2"))
    assert saved(database) == [
        ("intent", "upd1", "rel1", "suite-1", 0.9),
        ("facts", None, "rel1", "suite-1", 0.8),
        ("intent", "upd2", "rel2", "suite-1", 0.9),
        ("intent", "upd2", "rel2", "suite-2", 0.9),
    ]


def test_slices_are_scored_beside_their_suite_and_open_the_ledger(database: Database) -> None:
    """The champion knew slice 1; the update brings slice 2, examined under both releases, and taught prompts."""
    parts = (
        SliceScore(1, "held_out", 0.9, 60),
        SliceScore(2, "held_out", 0.2, 20, stale=3),
        SliceScore(0, "recall", 1.0, 10),
    )
    learned = (replace(parts[0], score=0.8), SliceScore(2, "held_out", 0.7, 20), parts[2])
    with database.transaction() as session:
        save_scores(session, "m", None, "rel1", {"intent": replace(SCORE, slices=parts)}, {"intent": 1})
        save_scores(session, "m", "upd2", "rel2", {"intent": replace(SCORE, slices=learned)}, {"intent": 1})
        save_scores(session, "m", "upd2", "rel2", {"intent": replace(SCORE, slices=learned)}, {"intent": 1})
    assert len(saved(database)) == 2  # whole suites alone are the ledger's cells
    facts = [ReleaseFact("rel1", 1, frozenset({"intent"})), ReleaseFact("rel2", 2, frozenset({"intent"}))]
    with database.read() as session:
        ledger = build_ledger("m", ledger_rows(session, "m"), facts, slices=slice_rows(session, "m"))
    (task,) = ledger.tasks
    assert [(each.slice, each.kind, [cell.score for cell in each.cells]) for each in task.slices] == [
        (0, "recall", [1.0, 1.0]), (1, "held_out", [0.9, 0.8]), (2, "held_out", [0.2, 0.7])
    ]  # fmt: skip
    assert [(t.number, t.update_id, t.legacy, t.new, t.recall, t.stale) for t in task.tracks] == [
        (1, None, 0.9, 0.2, 1.0, 3), (2, "upd2", 0.8, 0.7, 1.0, 0)
    ]  # fmt: skip
    with database.transaction() as session:  # as the champion of a later update, on a suite that has grown
        later = replace(SCORE, slices=learned, suite_hash="grown")
        save_scores(session, "m", None, "rel2", {"intent": later}, {"intent": 9})
    with database.read() as session:
        again = build_ledger("m", ledger_rows(session, "m"), facts, slices=slice_rows(session, "m")).tasks[0].tracks[1]
    assert (again.update_id, again.legacy, again.new) == ("upd2", 0.8, 0.7)


def test_a_rejected_update_has_its_own_row_once(database: Database) -> None:
    for update in ("upd1", "upd1", "upd2"):
        save(database, update, None, SCORE)
    assert [(update, release) for _, update, release, _, _ in saved(database)] == [("upd1", None), ("upd2", None)]


def test_listeners_hear_of_new_scores_only(database: Database) -> None:
    for _ in range(2):
        save(database, "upd1", "rel1", SCORE)
    with database.read() as session:
        assert [(event.topic, event.object_id) for event in events.after(session, 0)] == [("model", "m")]
