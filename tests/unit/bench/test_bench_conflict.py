"""Labels that change on the way: what is delivered when, and a whole small run on an installation of its own."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from clm.bench import conflict
from clm.bench.conflicting import changes, everything, story
from clm.bench.options import ConflictOptions
from clm.bench.progress import Progress
from clm.bench.public_sets import Row
from clm.errors import InvalidInput

WORDS = ("blue", "red", "green", "grey", "white", "black")


def rows(start: int, count: int) -> list[Row]:
    return [{"prompt": f"paint {n} {word}", "completion": word} for n in range(start, start + count) for word in WORDS]


def answers(given: Sequence[Row]) -> dict[str, str]:
    return {row["prompt"]: row["completion"] for row in given}


def test_labels_are_renamed_merged_and_swapped_in_turn_and_each_once() -> None:
    made = changes([f"label {n}" for n in range(20)], 0.25, refreshes=9, seed=3)
    assert [change.kind for change in made] == ["rename", "merge", "swap", "rename"]
    assert [change.refresh for change in made] == [1, 3, 5, 7]
    changed = [label for change in made for label in change.names]
    assert len(changed) == len(set(changed)) == 5
    merged_into = next(iter(made[1].names.values()))
    assert merged_into not in changed  # what holds of it goes on holding
    assert next(iter(made[0].names.values())) not in {f"label {n}" for n in range(20)}
    assert changes(["a", "b"], 0.0, 5, seed=1) == []
    with pytest.raises(InvalidInput, match="2 labels are too few to change 100% of them"):
        changes(["a", "b"], 1.0, 5, seed=1)


def test_a_changed_label_comes_again_with_all_its_rows_and_nothing_else_does() -> None:
    train = rows(0, 30)  # 180
    told = story(train, WORDS, first=60, rows=12, refreshes=6, bad=4, share=0.5, seed=1)
    good = [one for one in told.deliveries if one.mistake is None]
    bad = [one for one in told.deliveries if one.mistake is not None]
    assert len(good) == 7 and [one.mistake for one in bad] == ["shuffled", "stuck", "flipped", "half"]
    seen: dict[str, str] = {}
    for one in good:
        moved = {old for change in one.changes for old in change.names}
        again = {prompt: said for prompt, said in answers(one.rows).items() if prompt in seen}
        assert set(again) == {row["prompt"] for row in train if row["prompt"] in seen and row["completion"] in moved}
        assert all(said != seen[prompt] for prompt, said in again.items())
        seen |= answers(one.rows)
    truth = {row["prompt"]: told.truth(row["completion"]) for row in train}
    assert seen == answers(everything(told)) == {prompt: truth[prompt] for prompt in seen}
    assert len(told.names) == 3 and all(told.truth(word) == word for word in set(WORDS) - set(told.names))


def test_a_mistake_is_one_and_half_a_mistake_is_half_of_one() -> None:
    train = rows(0, 30)
    told = story(train, WORDS, first=60, rows=12, refreshes=4, bad=4, share=0.0, seed=2)
    right = answers(train)
    wrong = {
        one.mistake: sum(said != right[prompt] for prompt, said in answers(one.rows).items())
        for one in told.deliveries if one.mistake
    }  # fmt: skip
    assert wrong["shuffled"] == wrong["flipped"] == 12 and wrong["half"] == 6 and wrong["stuck"] == 10
    known = set(answers([row for one in told.deliveries if one.mistake is None for row in one.rows]))
    flipped = next(one for one in told.deliveries if one.mistake == "flipped")
    assert set(answers(flipped.rows)) <= known


@pytest.mark.slow
def test_a_small_run_tells_what_was_learned_kept_and_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "words"
    folder.mkdir(parents=True)
    for split, start, count in (("train", 0, 40), ("test", 100, 4)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(start, count)))
    options = ConflictOptions(data=tmp_path / "data", set="words", refreshes=2, first=72, rows=24, test=24,
                              changed=0.34, bad=1, epochs=10, learning_rate=5e-3, base="tiny", threads=1)  # fmt: skip
    made = conflict.run(options, Progress())
    assert made["changed_rows"] == 8 and made["unchanged_rows"] == 16
    assert made["new_right"] > 0.6 and 0 <= made["joint_right"] <= 1
    assert made["stale"] <= 0.25 and made["bad_accepted"] == 0.0
    assert made["unchanged_lost"] == pytest.approx(made["unchanged_first"] - made["unchanged_right"])
    went = made["deliveries"]
    assert [one["mistake"] for one in went] == [None, None, None, "shuffled"]
    assert went[1]["superseding"] > 0 and went[-1]["state"] != "succeeded"
    assert made["good_accepted"] == sum(one["state"] == "succeeded" for one in went[1:3]) / 2


def test_a_set_without_labels_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "facts"
    folder.mkdir()
    for split in ("train", "test"):
        free = [{"prompt": f"{split} question {n}", "completion": f"answer {n}"} for n in range(40)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in free))
    asked = ConflictOptions(data=tmp_path, set="facts", refreshes=1, first=10, rows=4, test=4, bad=0)
    with pytest.raises(InvalidInput, match="whose answers are labels"):
        conflict.run(asked, Progress())
