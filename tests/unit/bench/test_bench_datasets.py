import json
from pathlib import Path

import pytest

from clm.bench.datasets import BenchTask, known_names, load_sequence
from clm.bench.public_sets import GROUPS, SETS
from clm.errors import InvalidInput, NotFound

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the public data sets are not beside the project")
PUBLIC = [*SETS, *GROUPS]


def prompts(rows: list[dict[str, str]]) -> set[str]:
    return {row["prompt"] for row in rows}


def instruction(task: BenchTask) -> str:
    (one,) = {row["prompt"].partition("\n\n")[0] for row in task.train + task.dev + task.test}
    return one


@needs_data
@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_set_gives_separate_rows_with_one_instruction_that_does_not_name_it(name: str) -> None:
    for task in load_sequence(DATA, [name.upper()], train=60, test=40, seed=3, dev=10):
        assert (len(task.train), len(task.dev), len(task.test)) == (60, 10, 40)
        everything = prompts(task.train) | prompts(task.dev) | prompts(task.test)
        assert len(everything) == 110
        asked = instruction(task).lower()
        for word in (name, name.partition("-")[0], name.rstrip("0123456789")):
            assert word.lower() not in asked.replace(",", "").split()
            assert word.lower() not in asked or len(word) < 4
        answers = {row["completion"] for row in task.train + task.dev + task.test}
        assert all(answer and "_" not in answer for answer in answers)
        assert task.labels is None or answers <= set(task.labels)


@needs_data
@pytest.mark.parametrize(("name", "steps", "labels"), [("clinc150", 10, 15), ("banking77", 7, 11)])
def test_class_incremental_steps_share_the_instruction_and_nothing_else(name: str, steps: int, labels: int) -> None:
    tasks = load_sequence(DATA, [name], train=90, test=50, seed=1)
    assert len(tasks) == steps
    assert len({instruction(task) for task in tasks}) == 1
    assert [len(task.labels or ()) for task in tasks] == [labels] * steps
    assert len({label for task in tasks for label in task.labels or ()}) == steps * labels
    learned = set[str]().union(*(prompts(task.train) for task in tasks))
    tested = set[str]().union(*(prompts(task.test) for task in tasks))
    assert len(learned) == 90 * steps and len(tested) == 50 * steps and not learned & tested
    assert all(set(task.labels or ()) == {row["completion"] for row in task.train} for task in tasks)


@needs_data
def test_one_part_of_a_set_can_be_named() -> None:
    (task,) = load_sequence(DATA, ["CLINC150:Travel"], train=30, test=30, seed=1)
    assert task.name == "clinc150:travel"
    assert "book flight" in (task.labels or ())


@needs_data
def test_draws_are_seeded_and_a_smaller_draw_begins_a_larger_one() -> None:
    (small,) = load_sequence(DATA, ["agnews"], train=20, test=20, seed=1)
    (large,) = load_sequence(DATA, ["agnews"], train=40, test=40, seed=1, dev=20)
    (other,) = load_sequence(DATA, ["agnews"], train=20, test=20, seed=2)
    assert large.train[:20] == small.train and large.test[:20] == small.test
    assert other.train != small.train
    counts = [sum(row["completion"] == label for row in small.train) for label in small.labels or ()]
    assert counts == [5, 5, 5, 5]


def write_set(folder: Path, train: list[object], test: list[object]) -> None:
    folder.mkdir(parents=True)
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def own_rows(start: int, count: int) -> list[object]:
    return [{"prompt": f"what is {n}?", "completion": "odd" if n % 2 else "even"} for n in range(start, start + count)]


def test_a_folder_of_ones_own_is_a_data_set_and_test_prompts_leave_its_training_rows(tmp_path: Path) -> None:
    write_set(tmp_path / "Parity", own_rows(0, 40), own_rows(36, 20))
    (task,) = load_sequence(tmp_path, ["parity"], train=36, test=20, seed=1)
    assert (task.name, task.labels) == ("Parity", ("even", "odd"))
    assert not prompts(task.train) & prompts(task.test)
    assert known_names(tmp_path)[-1] == "Parity"


def test_a_test_prompt_of_one_task_is_no_training_prompt_of_another(tmp_path: Path) -> None:
    write_set(tmp_path / "one", own_rows(0, 20), own_rows(100, 10))
    write_set(tmp_path / "two", own_rows(90, 20), own_rows(0, 10))
    one, two = load_sequence(tmp_path, ["one", "two"], train=10, test=10, seed=1)
    assert not prompts(one.train) & prompts(two.test) and not prompts(two.train) & prompts(one.test)


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no folder"):
        load_sequence(tmp_path / "nowhere", ["agnews"], 1, 1, 1)
    with pytest.raises(NotFound, match=r"no data set named 'novels'. Known: .*agnews"):
        load_sequence(tmp_path, ["novels"], 1, 1, 1)
    with pytest.raises(NotFound, match=r"There is no .*labels.json.*--data"):
        load_sequence(tmp_path, ["agnews"], 1, 1, 1)
    with pytest.raises(InvalidInput, match="sequence is empty"):
        load_sequence(tmp_path, [], 1, 1, 1)
    write_set(tmp_path / "few", own_rows(0, 10), own_rows(50, 5))
    with pytest.raises(InvalidInput, match=r"few has 5 test rows, and 6 are asked for. Lower --test"):
        load_sequence(tmp_path, ["few"], 5, 6, 1)
    with pytest.raises(InvalidInput, match=r"few has 10 train rows, and 11 are asked for. Lower --train"):
        load_sequence(tmp_path, ["few"], 8, 5, 1, dev=3)
    with pytest.raises(InvalidInput, match="names few twice"):
        load_sequence(tmp_path, ["few", "FEW"], 5, 5, 1)
    write_set(tmp_path / "broken", [{"prompt": "a"}], own_rows(0, 5))
    with pytest.raises(InvalidInput, match=r"Line 1 of train\.jsonl is no row"):
        load_sequence(tmp_path, ["broken"], 1, 1, 1)
