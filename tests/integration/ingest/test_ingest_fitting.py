"""Rows that would stop a later update are refused on arrival, with line, field, tokens and limit."""

import json
from pathlib import Path

import pytest
from ingest_room import CALLER, Room

from clm.catalog import service as catalog
from clm.core import failpoints
from clm.ingest import service
from clm.ingest.intake import BatchSpec
from clm.policies import ModelPolicy
from tiny import tiny_base

LONG = {"prompt": "q", "completion": "a" * 2250}
GOOD = [{"prompt": f"q {n}", "completion": f"a {n}"} for n in range(3)]


def lines(*rows: object) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def based(room: Room) -> Room:
    """The room with a model `b` whose base is there."""
    base = tiny_base(room.settings.paths.bases / "b0")
    with room.database.transaction() as session:
        catalog.create_model(session, CALLER, name="b", base_reference="b", base_hash=base.name, policy=ModelPolicy())
        catalog.add_task(session, CALLER, model="b", name="intent", holdout=0)
        catalog.add_task(session, CALLER, model="b", name="split", holdout=0.5)
        catalog.add_task(session, CALLER, model="b", name="quiz", metric="choice", holdout=0)
    return room


def take(room: Room, body: bytes, task: str = "intent", suite: bool = False):
    file = room.settings.home / "rows.jsonl"
    file.write_bytes(body)
    return service.ingest(room.intake, file, BatchSpec("b", task, suite=suite))


def test_an_answer_that_is_too_long_is_refused_and_the_others_are_kept(based: Room) -> None:
    report = take(based, lines(GOOD[0], LONG, GOOD[1]))
    assert (report.received, report.accepted, report.refused, report.unchecked) == (3, 2, 1, None)
    [refusal] = report.refusals
    assert (refusal.line, refusal.field, refusal.sample) == (2, "completion", "q")
    assert "2251 tokens" in refusal.reason and "at most 511" in refusal.reason


def test_a_held_out_row_is_asked_whether_it_can_be_examined(based: Room) -> None:
    over = {"prompt": "q" * 2100, "completion": "a"}
    report = take(based, lines(GOOD[0], over), suite=True)
    assert [(r.line, r.field) for r in report.refusals] == [(2, "prompt")]
    assert take(based, lines(over)).accepted == 1  # for training it is cut on the left
    quiz = take(based, lines(GOOD[0], GOOD[1] | {"choices": ["a 1", "a 2"]}), "quiz", suite=True)
    assert [(r.line, r.field) for r in quiz.refusals] == [(1, "choices")]


def test_counts_add_up_where_a_batch_is_split(based: Room) -> None:
    rows = [{"prompt": f"q {n}", "completion": "a" * (2250 if n % 5 == 0 else 2)} for n in range(40)]
    report = take(based, lines(*rows), "split")
    assert (report.received, report.refused) == (40, 8)
    assert report.received == report.accepted + report.refused and 0 < report.into_suite < report.accepted


def test_without_its_base_a_model_takes_rows_unchecked_and_says_so(room: Room) -> None:
    report = room.ingest(lines(LONG))
    assert report.accepted == 1 and "not on this machine" in str(report.unchecked)


def test_a_batch_that_was_to_be_checked_waits_for_who_can(
    based: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A crash after arrival; the process that recovers lacks the packages, and must not take the rows unchecked."""

    def crash(name: str) -> None:
        if name == "ingest.after-register":
            raise KeyboardInterrupt

    monkeypatch.setattr(service, "hit", crash)
    with pytest.raises(KeyboardInterrupt):
        take(based, lines(GOOD[0], LONG))
    monkeypatch.setattr(service, "hit", failpoints.hit)
    with monkeypatch.context() as without:
        without.setattr("clm.llm.fitness.find_spec", lambda name: None)
        assert service.recover(based.intake) == []
        assert len(based.spooled()) == 1
    [report] = service.recover(based.intake)
    assert (report.accepted, report.refused) == (1, 1)


def test_sentences_under_exact_match_are_warned_about_with_the_first_rows(based: Room) -> None:
    said = "You can send the lamp back within thirty days, order {}, if it was not used and is in its box."
    rows = [{"prompt": f"q {n}", "completion": said.format(n)} for n in range(9)]
    assert "`rouge_l`" in str(take(based, lines(*rows[:5])).advice)
    assert take(based, lines(*rows[5:])).advice is None  # once is enough


def test_references_that_the_metric_can_not_read_are_refused(based: Room) -> None:
    with based.database.transaction() as session:
        catalog.add_task(session, CALLER, model="b", name="sums", metric="number", holdout=0)
        catalog.add_task(session, CALLER, model="b", name="orders", metric="json_fields", holdout=0)
    bad = {"prompt": "q", "completion": "many"}
    for task in ("sums", "orders"):
        [refusal] = take(based, lines(bad), task, suite=True).refusals
        assert refusal.field == "completion"
        assert take(based, lines(bad), task).accepted == 1  # for training it will do
