"""Files of data sets are read by line feeds, and by nothing else that some take for the end of a line."""

from pathlib import Path

import pytest

from clm.bench.reading import read_csv, read_json_lines
from clm.errors import InvalidInput


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x0b", "\x1c"])
def test_no_character_of_a_text_ends_its_row(tmp_path: Path, odd: str) -> None:
    file = tmp_path / "rows"
    file.write_bytes(f'{{"text": "a{odd}b"}}\r\n\n{{"text": "c"}}\n'.encode() if odd > "\x1f" else b'{"text": "a"}\n')
    assert [line for line, _ in read_json_lines(file)] == ([1, 3] if odd > "\x1f" else [1])
    file.write_bytes(f'text,label\r\n"a{odd}b\nand on",1\r\nc,2\r\n'.encode())
    assert [(row["text"], row["label"]) for row in read_csv(file)] == [(f"a{odd}b\nand on", "1"), ("c", "2")]


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(InvalidInput, match="Line 2"):
        list(read_json_lines(tmp_path / "rows"))
