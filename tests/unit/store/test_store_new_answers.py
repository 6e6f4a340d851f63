"""What an update replays when new answers come, and which of its rows change what was taught."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clm.core.content import content_hash, prompt_hash
from clm.errors import InvalidInput
from clm.records import Mixture, Record
from clm.store.mixture import Recall
from clm.store.store import Store

AT = datetime(2026, 1, 2, tzinfo=UTC)


def record(prompt: str, completion: str) -> Record:
    content = {"prompt": prompt, "completion": completion}
    hashed = content_hash("completion", content)
    prompted = prompt_hash("completion", content)
    return Record("rec_" + hashed[:24], "intent", "completion", content, hashed, prompted, AT, AT, "test", "bat")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """30 old rows of 3 answers, and 4 held out."""
    store = Store(tmp_path / "data")
    store.append("m", [record(f"old question {n}", f"old {n % 3}") for n in range(30)], suite=False, batch_id="bat_1")
    store.append("m", [record(f"asked {n}", f"old {n % 3}") for n in range(4)], suite=True, batch_id="bat_2")
    return store


def build(store: Store, out: Path, recall: Recall) -> Mixture:
    return store.build_mixture(
        store.snapshot("m"), "intent", since=1, replay_share=0.1, seed=1, out=out / "mixture.parquet", recall=recall
    )


def test_old_answers_keep_even_with_new_ones(store: Store, tmp_path: Path) -> None:
    new = [record(f"new question {n}", f"new {n % 2}") for n in range(10)]
    store.append("m", new, suite=False, batch_id="bat_3")
    assert build(store, tmp_path, Recall("balanced")).replay_rows == 1
    even = build(store, tmp_path, Recall("balanced", by_answer=True))
    assert even.replay_rows == 15  # five rows of each new answer, so five of each of three old ones
    assert {answer: replayed for answer, (_, replayed) in even.answers.items() if replayed} == {
        "old 0": 5, "old 1": 5, "old 2": 5
    }  # fmt: skip
    assert even.changed == ()


@pytest.mark.parametrize(("answers", "replayed"), [(("old 0", "old 1", "old 2"), 1), (tuple("abcdefghij"), 1)])
def test_more_of_the_same_and_answers_that_never_repeat_ask_for_no_more(
    store: Store, tmp_path: Path, answers: tuple[str, ...], replayed: int
) -> None:
    new = [record(f"new question {n}", answers[n % len(answers)]) for n in range(10)]
    store.append("m", new, suite=False, batch_id="bat_3")
    assert build(store, tmp_path, Recall("balanced", by_answer=True)).replay_rows == replayed


def test_new_rows_that_change_what_was_taught_are_named(store: Store, tmp_path: Path) -> None:
    later = replace(record("Old question 7", "old 2"), event_time=AT + timedelta(days=1))
    store.append("m", [later, record("new question", "old 1")], suite=False, batch_id="bat_3")
    assert build(store, tmp_path, Recall()).changed == (later.record_id,)


def test_old_rows_alone_are_enough_where_one_expert_is_made_of_several(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no new rows"):
        build(store, tmp_path, Recall())
    again = build(store, tmp_path, Recall(again=True))
    assert (again.new_rows, again.replay_rows) == (0, 30)
