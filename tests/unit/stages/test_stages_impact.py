"""What adding or removing a task does to the others, measured for real on a tiny base with two experts."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from clm.catalog import service as catalog
from clm.errors import InvalidInput, NotFound
from clm.records import BASE
from clm.registry.bundle import load_bundle
from clm.stages.impact import Impact, measure
from clm.stages.removal import check_removal
from cycle_home import COLOURS, MODEL, TEST, Home, colour_rows, town_rows
from experts_home import serve_experts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, copy_home: Callable[..., Home]) -> Home:
    home = copy_home(tmp_path_factory.mktemp("impact") / "home")
    serve_experts(home, {"colour": colour_rows(0, 40), "town": town_rows(0, 40)})
    return home


def ask(home: Home, task: str, *, removal: bool = False, file: Path | None = None) -> Impact:
    return measure(home.installation, MODEL, task, removal=removal, file=file)


def jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_new_task_that_asks_as_another_does_is_seen_to_take_its_prompts(home: Home, tmp_path: Path) -> None:
    rows = [{"prompt": f"paint {n} {COLOURS[n % 4]}", "completion": COLOURS[(n + 1) % 4]} for n in range(900, 960)]
    found = ask(home, "repaint", file=jsonl(tmp_path / "rows.jsonl", rows))
    of = {each.task: each for each in found.tasks}
    assert list(of) == ["colour", "town", "repaint"] and of["repaint"].role == "new"
    assert of["colour"].n == of["town"].n == 24 and of["repaint"].n == 12  # a fifth of the file is only asked
    assert of["colour"].answered_after.get("repaint", 0) > 0
    assert of["colour"].strays_after > of["colour"].strays_before
    assert of["town"].answered_after == of["town"].answered_before and of["town"].difference == 0
    assert of["repaint"].after is None and of["repaint"].strays_before > 0
    assert any(line.startswith("Prompts of colour are answered by: ") for line in found.moves())
    with home.database.read() as session:  # nothing was applied
        assert [task.name for task in catalog.list_tasks(session, MODEL)] == ["colour", "town"]
    assert not list(home.settings.paths.updates.glob("impact-*"))


def test_a_new_task_of_its_own_kind_leaves_the_others_alone(home: Home, tmp_path: Path) -> None:
    rows = [{"prompt": f"HOW MUCH IS {n} AND {n}? TELL ME!", "completion": str(2 * n)} for n in range(60)]
    found = ask(home, "sums", file=jsonl(tmp_path / "rows.jsonl", rows))
    assert [each.difference for each in found.tasks] == [0, 0, None]
    assert found.tasks[0].answered_after == found.tasks[0].answered_before
    assert found.tasks[2].answered_after == {"sums": 12}


def test_removing_a_task_tells_who_answers_its_prompts_then(home: Home) -> None:
    found = ask(home, "town", removal=True)
    colour, town = found.tasks
    assert (colour.role, town.role, found.change) == ("other", "removed", "remove")
    assert colour.answered_after.get("colour") == colour.answered_before["colour"] and colour.difference == 0
    assert "town" not in town.answered_after and sum(town.answered_after.values()) == 24
    assert town.strays_after == 24 - town.answered_after.get(BASE, 0)
    assert found.moves()[-1].startswith("Prompts of town are answered by: ")
    row = colour.as_row()
    assert row["difference"] == 0 and row["strays_before"] == colour.strays_before


def test_questions_that_make_no_sense_get_a_sentence(home: Home, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no task of model 'tiny' named 'tone'. Known: colour, town"):
        ask(home, "tone", removal=True)
    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name="later")
    with pytest.raises(InvalidInput, match=r"'later' has no expert in the release that serves, which knows: colour"):
        ask(home, "later", removal=True)
    with pytest.raises(InvalidInput, match="has no training rows"):
        ask(home, "later")
    with pytest.raises(InvalidInput, match="'town' is learned already"):
        ask(home, "town")
    few = jsonl(tmp_path / "few.jsonl", [{"prompt": "a", "completion": "b"}, {"prompt": "c"}])
    with pytest.raises(
        InvalidInput, match=r"few.jsonl has 1 rows .* at least 5 are needed. Line 2, completion: is missing"
    ):
        ask(home, "later", file=few)


def test_the_last_task_stays(home: Home) -> None:
    only = serve_experts(home, {"colour": colour_rows(0, 12)})
    bundle = load_bundle(home.settings.home / only.path, home.settings.paths.keys)
    with pytest.raises(InvalidInput, match=r"the only one that the model has learned.*clm rollback"):
        check_removal(bundle, "colour")
