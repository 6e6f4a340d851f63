# pyright: reportUnknownParameterType=false
# (pyarrow has no types)

import gzip
import time
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clm.errors import InvalidInput, NotFound
from clm.ingest.reading import READERS, format_of
from clm.ingest.row import Row
from clm.records import Refusal

MAX = 1024 * 1024


def read(tmp_path: Path, format: str, body: bytes, max_bytes: int = MAX) -> list[Row | Refusal]:
    file = tmp_path / f"body.{format}"
    file.write_bytes(body)
    return list(READERS[format](file, max_bytes))


def good(rows: list[Row | Refusal]) -> list[tuple[int, object]]:
    return [(row.line, row.values) for row in rows if isinstance(row, Row)]


def bad(rows: list[Row | Refusal]) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in rows if isinstance(row, Refusal)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "a"', "not valid JSON"),
        (b"[1, 2]", "one JSON object per line"),
        (b'{"text": "\xff"}', "not valid UTF-8 at byte 11"),
        (b'{"text": "a", "text": "b"}', "'text' is given twice"),
        (b'{"x": NaN, "text": "a"}', "NaN is not JSON"),
        (b'{"x": -Infinity}', "-Infinity is not JSON"),
        (b'{"x": 1e400}', "too large"),
        (b'{"x": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested too deeply"),
        (b'{"text": "raw \x00 NUL"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_the_others_are_kept(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    rows = read(tmp_path, "jsonl", b'{"text": "first"}\r\n' + line + b'\n\n  \n{"text": "last"}')
    assert good(rows) == [(1, {"text": "first"}), (5, {"text": "last"})]
    ((number, why),) = bad(rows)
    assert number == 2
    assert reason in why


def test_a_byte_order_mark_at_the_start_is_no_content(tmp_path: Path) -> None:
    assert good(read(tmp_path, "jsonl", b'\xef\xbb\xbf{"text": "a"}')) == [(1, {"text": "a"})]
    assert good(read(tmp_path, "csv", b"\xef\xbb\xbftext\na\n")) == [(2, {"text": "a"})]


def test_utf_16_is_named(tmp_path: Path) -> None:
    rows = read(tmp_path, "jsonl", '{"text": "a"}\n'.encode("utf-16"))
    assert "looks like UTF-16" in bad(rows)[0][1]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_line_of_100_mb_is_one_refusal_and_never_in_memory(tmp_path: Path, format: str) -> None:
    file = tmp_path / "body"
    head, row = (b"", b'{"text": "a"}') if format == "jsonl" else (b"text\n", b"a")
    with file.open("wb") as out:
        out.write(head + row + b"\n")
        for _ in range(100):
            out.write(b"x" * 1024 * 1024)
        out.write(b"\n" + row + b"\n")
    start = time.monotonic()
    tracemalloc.start()
    rows = list(READERS[format](file, MAX))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(good(rows)) == 2
    assert [why for _, why in bad(rows)] == [f"the line is longer than {MAX} bytes"]
    assert peak < 16 * MAX
    assert time.monotonic() - start < 10


def test_a_line_of_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    line = b'{"text": "' + b"a" * 1000 + b'"}'
    for end in (b"", b"\n", b"\r\n"):
        assert len(good(read(tmp_path, "jsonl", line + end, len(line)))) == 1
        assert len(bad(read(tmp_path, "jsonl", line + b" " + end, len(line)))) == 1


def test_csv_rows_may_span_lines_and_bad_ones_do_not_stop_the_rest(tmp_path: Path) -> None:
    body = (
        b'prompt,completion\r\n"two\nlines",a\r\n\r\nonly one\r\n1,2,3\r\n"half" quoted,b\r\n'
        b"\xff,c\r\nnul\x00,d\r\nlast,e\r\n"
    )
    rows = read(tmp_path, "csv", body)
    assert good(rows) == [(2, {"prompt": "two\nlines", "completion": "a"}), (10, {"prompt": "last", "completion": "e"})]
    assert [number for number, _ in bad(rows)] == [5, 6, 7, 8, 9]


def test_a_quote_that_never_ends_is_refused(tmp_path: Path) -> None:
    rows = read(tmp_path, "csv", b'text\ngood\n"open\nand so on\n')
    assert good(rows) == [(2, {"text": "good"})]
    assert len(bad(rows)) == 1


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("later", [b"x,y", b'"x, with a comma",y', b'x,"y, with a comma"', b'x,"y ""quoted"""'])
def test_an_open_quote_costs_its_own_line_and_no_other(tmp_path: Path, later: bytes, newline: bytes) -> None:
    lines = [b"prompt,completion", b"a,b", b'"open,c', *[b"d,e"] * 200, later, b"f,g", b'h,"open', b"i,j"]
    rows = read(tmp_path, "csv", newline.join(lines))
    assert [line for line, _ in good(rows)] == [2, *range(4, 206), 207]
    assert [line for line, _ in bad(rows)] == [3, 206]
    assert all("a quote is opened in this line and not closed" in reason for _, reason in bad(rows))


def test_a_bad_record_of_several_lines_is_one_refusal_that_names_them(tmp_path: Path) -> None:
    rows = read(tmp_path, "csv", b'prompt,completion\n"a long\ntext over\nlines",b,too many\nc,d\n')
    assert [line for line, _ in good(rows)] == [5]
    assert bad(rows) == [(2, "has 3 fields where the header has 2 (lines 2 to 4)")]


ROW = b'{"prompt": "a", "completion": "b"}'


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"[" + ROW + b"," + ROW + b"]", "one JSON array"),
        (b"[\n  " + ROW + b",\n  " + ROW + b"\n]\n", "one JSON array"),
        (b"\xef\xbb\xbf\n[]", "one JSON array"),
        (b'{\n  "prompt": "a",\n  "completion": "b"\n}\n', "over several lines"),
        (b'{"rows": [\n' + ROW + b"]}", "over several lines"),
    ],
)
def test_json_that_is_not_lines_is_told_before_any_row(tmp_path: Path, body: bytes, told: str) -> None:
    file = tmp_path / "body"
    file.write_bytes(body)
    with pytest.raises(InvalidInput, match=told):
        format_of(file, format=None, file_name="rows.json", content_type=None)


def test_a_file_s_form_is_seen_without_reading_a_long_line_whole(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(ROW + b"\n" + b"x" * 60_000_000 + b"\n" + ROW + b"\n")
    tracemalloc.start()
    assert format_of(file, format=None, file_name="rows.jsonl", content_type=None) == "jsonl"
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10_000_000


@pytest.mark.parametrize("first", [b'{"prompt": "a",', b"[1, 2]", b'{"prompt": "' + b"a" * 2_000_000 + b'", "x": 1}'])
def test_a_bad_or_a_long_first_line_is_no_form(tmp_path: Path, first: bytes) -> None:
    file = tmp_path / "body"
    file.write_bytes(first + b"\n" + ROW + b"\n")
    if first.endswith(b","):  # may be one object over lines, and the next line says that it is not
        file.write_bytes(ROW + b"\n" + first + b"\n")
    assert format_of(file, format=None, file_name="rows.jsonl", content_type=None) == "jsonl"


def test_semicolons_and_tabs_separate_too(tmp_path: Path) -> None:
    for separator in (b";", b"\t"):
        rows = read(tmp_path, "csv", separator.join([b"prompt", b"completion"]) + b"\na, b" + separator + b"c\n")
        assert good(rows) == [(2, {"prompt": "a, b", "completion": "c"})]


@pytest.mark.parametrize("header", [b"text,text\na,b\n", b"\n\n", b"\xff\na\n"])
def test_a_header_that_can_not_be_used_is_one_refusal(tmp_path: Path, header: bytes) -> None:
    ((line, why),) = bad(read(tmp_path, "csv", header))
    assert (line, "header" in why) == (1, True)


def parquet(tmp_path: Path, table: pa.Table) -> bytes:
    pq.write_table(table, tmp_path / "made.parquet", row_group_size=100)
    return (tmp_path / "made.parquet").read_bytes()


def test_parquet_keeps_lists_and_times_and_drops_unknown_columns(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    table = pa.table({"messages": [messages], "event_time": pa.array([1_700_000_000_000_000_001], pa.timestamp("ns")),
                      "x": [1]})  # fmt: skip
    ((line, values),) = good(read(tmp_path, "parquet", parquet(tmp_path, table)))
    assert isinstance(values, dict)
    assert (line, set(values), values["messages"]) == (1, {"messages", "event_time"}, messages)


def test_a_truncated_or_damaged_parquet_is_refused_and_what_was_read_is_kept(tmp_path: Path) -> None:
    whole = parquet(tmp_path, pa.table({"text": [f"row {i} " + "x" * 200 for i in range(1000)]}))
    for length in (0, 1, 4, len(whole) // 2, len(whole) - 1):
        ((line, why),) = bad(read(tmp_path, "parquet", whole[:length]))
        assert (line, "can't be read" in why) == (1, True)
    damaged = whole[:4] + b"\xff" * 2000 + whole[2004:]
    assert len(bad(read(tmp_path, "parquet", damaged))) == 1


def test_a_parquet_that_unpacks_to_much_more_does_not_fill_the_memory(tmp_path: Path) -> None:
    file = tmp_path / "bomb.parquet"
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000), pa.array(["x" * 2 * MAX]))
    pq.write_table(pa.table({"text": text}), file, write_statistics=False, compression="zstd", store_schema=False)
    assert file.stat().st_size < MAX / 10
    before, peak, refused = pa.total_allocated_bytes(), 0, 0
    for row in READERS["parquet"](file, MAX):
        refused += isinstance(row, Refusal)
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert refused == 1000
    assert 0 < peak < 64 * MAX


def test_the_format_comes_from_the_request_the_name_the_type_or_the_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b' {"text": "a"}')
    for expected, told in [
        ("csv", {"format": "csv", "file_name": "a.jsonl", "content_type": None}),
        ("csv", {"format": None, "file_name": "A.CSV", "content_type": "application/jsonl"}),
        ("csv", {"format": None, "file_name": None, "content_type": "Text/CSV; charset=utf-8"}),
        ("jsonl", {"format": None, "file_name": "a", "content_type": "application/octet-stream"}),
    ]:
        assert format_of(file, **told) == expected
    with pytest.raises(NotFound, match="Known: csv, jsonl, parquet"):
        format_of(file, format="xml", file_name=None, content_type=None)
    file.write_bytes(b"prompt")
    with pytest.raises(InvalidInput, match="Say which format"):
        format_of(file, format=None, file_name=None, content_type=None)
    file.write_bytes(b"PAR1")
    assert format_of(file, format=None, file_name="x", content_type=None) == "parquet"
    with pytest.raises(InvalidInput, match="it is Parquet"):
        format_of(file, format=None, file_name="x.csv", content_type=None)
    file.write_bytes(gzip.compress(b"{}"))
    with pytest.raises(InvalidInput, match="packed with gzip"):
        format_of(file, format="jsonl", file_name=None, content_type=None)
