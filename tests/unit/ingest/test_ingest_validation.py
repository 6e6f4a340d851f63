import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clm.ingest import quality
from clm.ingest.refused import RowRefused
from clm.ingest.validation import left_out, said_of, to_record
from clm.records import Record, Shape

AT = datetime(2026, 1, 2, 3, tzinfo=UTC)
CHAT = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def take(**values: Any) -> Record:
    return to_record(values, task="intent", source="test", batch_id="bat_1", ingested_at=AT, max_bytes=10_000)


@pytest.mark.parametrize(
    ("shape", "values"),
    [
        ("messages", {"messages": CHAT}),
        ("messages", {"messages": '[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]'}),
        ("completion", {"prompt": "hi", "completion": "hello", "text": "", "chosen": None}),
        ("preference", {"prompt": "hi", "chosen": "hello", "rejected": "go away"}),
        ("text", {"text": "hello", "label": 3}),
        ("completion", {"prompt": "hi", "completion": "hello", "choices": '["hello", "go away"]'}),
    ],
)
def test_four_shapes_are_taken(shape: str, values: dict[str, Any]) -> None:
    record = take(**values)
    assert (record.shape, record.task, record.source, record.batch_id) == (shape, "intent", "test", "bat_1")
    assert record.record_id == "rec_" + record.content_hash[:24]
    assert (record.event_time, record.ingested_at, record.schema_version) == (AT, AT, 1)
    assert set(record.quality) == {"length", "distinct_words", "printable", "letters"}


def test_choices_are_kept_and_make_another_example_of_the_same_prompt() -> None:
    plain, offered = take(prompt="hi", completion="a"), take(prompt="hi", completion="a", choices=["b", "a"])
    assert offered.content == {"prompt": "hi", "completion": "a", "choices": ["b", "a"]}
    assert offered.content_hash != plain.content_hash and offered.prompt_hash == plain.prompt_hash


def test_the_same_prompt_has_one_hash_in_every_shape() -> None:
    as_chat, as_pair = take(messages=CHAT), take(prompt="hi", completion="something else")
    assert as_chat.prompt_hash == as_pair.prompt_hash == take(prompt="hi", chosen="a", rejected="b").prompt_hash
    assert as_chat.content_hash != as_pair.content_hash
    assert take(prompt="hi!", completion="hello").prompt_hash != as_pair.prompt_hash


@pytest.mark.parametrize(
    ("shape", "left", "values"),
    [
        ("messages", ["prompt"], {"prompt": "a", "prompt_id": 3, "messages": CHAT}),
        ("messages", ["completion", "prompt"], {"prompt": "a", "completion": "b", "messages": CHAT}),
        ("preference", ["completion"], {"prompt": "a", "completion": "b", "chosen": "c", "rejected": "d"}),
        ("completion", ["chosen", "text"], {"prompt": "a", "completion": "b", "chosen": "c", "text": "d"}),
        ("text", ["prompt"], {"prompt": "a", "text": "b", "completion": ""}),
        ("completion", [], {"prompt": "a", "completion": "b", "messages": "", "author": "me", "anything": 1}),
    ],
)
def test_one_whole_shape_is_taken_and_the_rest_is_left_out(
    shape: Shape, left: list[str], values: dict[str, object]
) -> None:
    assert take(**values).shape == shape
    assert left_out(values, shape) == left


def test_what_was_left_out_is_said_once() -> None:
    left: dict[tuple[str, Shape], int] = {("prompt", "messages"): 80, ("text", "completion"): 1}
    assert said_of(left) == [
        "prompt was left out of 80 rows read as messages.",
        "text was left out of 1 row read as prompt, completion.",
    ]


@pytest.mark.parametrize(
    ("field", "reason", "values"),
    [
        (None, "has none of", {"question": "a"}),
        ("completion", "missing or empty", {"prompt": "a"}),
        ("completion", "is empty", {"prompt": "a", "completion": " \n"}),
        ("prompt", "must be text, got nothing", {"completion": "a"}),
        ("prompt", "must be text, got a number", {"prompt": 3, "completion": "a"}),
        ("prompt", "must be text, got a list", {"prompt": ["a"], "completion": "b"}),
        ("completion", "must be text, got an object", {"prompt": "a", "completion": {"b": 1}}),
        ("rejected", "got nothing", {"prompt": "a", "chosen": "b"}),
        ("rejected", "same as chosen", {"prompt": "a", "chosen": "b", "rejected": "b"}),
        ("choices", "must be a list", {"prompt": "a", "completion": "b", "choices": {"b": 1}}),
        ("choices", "not valid JSON", {"prompt": "a", "completion": "b", "choices": "b or c"}),
        ("choices", "at least two", {"prompt": "a", "completion": "b", "choices": ["b"]}),
        ("choices", "no two of them equal", {"prompt": "a", "completion": "b", "choices": ["b", "c", "c"]}),
        ("choices", "do not hold the completion", {"prompt": "a", "completion": "b", "choices": ["c", "d"]}),
        ("choices[1]", "is empty", {"prompt": "a", "completion": "b", "choices": ["b", " "]}),
        ("text", "NUL", {"text": "a\0b"}),
        ("text", "surrogate", {"text": "a\ud800"}),
        (None, "at most 10000", {"text": "a" * 10_000}),
        ("messages", "must be a list", {"messages": 7}),
        ("messages", "not valid JSON", {"messages": "user: hi"}),
        ("messages", "must end with an assistant", {"messages": CHAT[:1]}),
        ("messages", "must end with an assistant", {"messages": "[]"}),
        ("messages", "no user's message", {"messages": CHAT[1:]}),
        ("messages[0]", "must be an object", {"messages": ["hi", CHAT[1]]}),
        ("messages[0].role", "must be one of", {"messages": [{"role": "tool", "content": "x"}, CHAT[1]]}),
        ("messages[0].role", "must be one of", {"messages": [{"role": [], "content": "x"}, CHAT[1]]}),
        ("messages[0].content", "is empty", {"messages": [{"role": "user", "content": ""}, CHAT[1]]}),
        ("messages[1].tool_calls", "not supported", {"messages": [CHAT[0], CHAT[1] | {"tool_calls": [1]}]}),
        ("messages.role", "given twice", {"messages": '[{"role": "user", "role": "system"}]'}),
        ("event_time", "must be a time", {"text": "a", "event_time": "yesterday"}),
        ("event_time", "must be a time", {"text": "a", "event_time": 12}),
        ("event_time", "must be a time", {"text": "a", "event_time": "0001-01-01T00:00:00+14:00"}),
        ("author", "must be text", {"text": "a", "author": 1}),
        ("source", "longer than 200", {"text": "a", "source": "s" * 201}),
    ],
)
def test_what_breaks_a_rule_is_refused_with_field_and_reason(
    field: str | None, reason: str, values: dict[str, Any]
) -> None:
    with pytest.raises(RowRefused) as refused:
        take(**values)
    assert refused.value.field == field
    assert reason in refused.value.reason


def test_metadata_of_the_row_goes_before_that_of_the_delivery() -> None:
    record = take(text="a", event_time="2025-05-05T12:00:00+02:00", author="ann", source="crm")
    assert (record.event_time, record.author, record.source) == (datetime(2025, 5, 5, 10, tzinfo=UTC), "ann", "crm")
    assert take(text="a", event_time="2025-05-05").event_time == datetime(2025, 5, 5, tzinfo=UTC)


def test_equal_texts_are_made_equal() -> None:
    assert take(text="u\u0308ber\r\nuns\r!").content == {"text": "über\nuns\n!"}
    assert take(text=" kept ").content == {"text": " kept "}


@given(st.text(min_size=1, max_size=60))
def test_whatever_text_is_taken_is_clean_and_scored_within_bounds(text: str) -> None:
    try:
        record = take(text=text)
    except RowRefused:
        assert not text.strip() or "\0" in text
        return
    taken = record.content["text"]
    assert unicodedata.is_normalized("NFC", taken)
    assert "\r" not in taken
    assert take(text=taken).content_hash == record.content_hash
    assert all(0 <= score <= 1 for score in record.quality.values())


def test_scores_tell_good_text_from_rubbish() -> None:
    good, filler, binary = "Where is my parcel? I ordered it on Monday.", "buy " * 40, "\x01\x02\x03\x04ab"
    assert quality.distinct_words(good) == 1 > 0.1 > quality.distinct_words(filler)
    assert quality.printable(good) == 1 > 0.5 > quality.printable(binary)
    assert quality.letters(good) > 0.9 > 0.1 > quality.letters("--- 12 | 13 ---")
    assert quality.length("x" * 2000) == 1 > quality.length(good)
