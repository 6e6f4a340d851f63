"""Tables for people: what is there to be copied is never cut off."""

import pytest

from clm.cli.output import Format, show_rows

ID = "con_01J8ZK3ABCDEFGHJKMNPQRSTVW"
HASH = "5f" * 32
ROW = {"id": ID, "prompt": "What does the lamp cost today, if I take two of them?", "state": "open", "record": HASH}
COLUMNS = {"id": "CONFLICT", "prompt": "PROMPT", "state": "STATE", "record": "RECORD"}


@pytest.mark.parametrize("width", [40, 80, 130, 200])
def test_ids_stay_whole_however_narrow_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    show_rows([ROW], Format.table, COLUMNS, "nothing")
    said = capsys.readouterr().out
    assert ID in said
    assert HASH in said
    assert all(heading in said for heading in COLUMNS.values())
    assert all(word in said for word in ROW["prompt"].split())


def test_a_program_gets_each_row_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.__stdout__", None)  # as where output goes to a pipe
    show_rows([ROW, {**ROW, "id": "con_2"}], Format.table, COLUMNS, "nothing")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines if HASH in line] == [ID, "con_2"]


def test_a_table_that_fits_is_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_rows([{"name": "prices", "about": "what the products of the shop cost, by day " * 3}], Format.table,
              {"name": "TASK", "about": "ABOUT"}, "nothing")  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["TASK", "ABOUT"]
