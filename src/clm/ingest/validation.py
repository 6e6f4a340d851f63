"""From a row's fields to a record: one of four shapes, cleaned, hashed, scored."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from clm.core.content import completion, content_hash, prompt_hash
from clm.core.hashing import canonical_json
from clm.ingest import json_text, quality
from clm.ingest.cleaning import clean_text
from clm.ingest.refused import RowRefused
from clm.records import Json, Record, Shape

SHAPES: dict[Shape, tuple[str, ...]] = {
    "messages": ("messages",),
    "preference": ("prompt", "chosen", "rejected"),
    "completion": ("prompt", "completion"),
    "text": ("text",),
}
METADATA = ("event_time", "author", "source")
FIELDS = tuple(dict.fromkeys([name for names in SHAPES.values() for name in names] + list(METADATA)))
_ROLES = ("system", "user", "assistant")
_LONGEST_NAME = 200  # characters of an author or source


def to_record(
    values: dict[str, Any],
    *,
    task: str,
    source: str,
    batch_id: str,
    ingested_at: datetime,
    max_bytes: int,
    event_time: datetime | None = None,
    key: Sequence[str] = (),
) -> Record:
    """The record in a row's fields; unknown fields are ignored. Raises RowRefused with the field and what is wrong.

    `event_time` (None: when it came in) is for a row that says none; `key` names the fields that tell what it is about.
    """
    shape = _shape_of(values)
    content = _content(shape, values)
    size = len(canonical_json(content).encode())
    if size > max_bytes:
        raise RowRefused(None, f"is {size} bytes long; at most {max_bytes} are taken")
    hashed = content_hash(shape, content)
    return Record(
        record_id="rec_" + hashed[:24],
        task=task,
        shape=shape,
        content=content,
        content_hash=hashed,
        prompt_hash=prompt_hash(shape, content),
        event_time=_event_time(values.get("event_time"), event_time or ingested_at),
        ingested_at=ingested_at,
        source=_name("source", values.get("source")) or source,
        batch_id=batch_id,
        author=_name("author", values.get("author")),
        quality=quality.scores(_all_text(shape, content)),
        key=",".join(f"{name}={_key(name, values.get(name))}" for name in key),
    )


def left_out(values: dict[str, Any], shape: Shape) -> list[str]:
    """Fields of other shapes that are there too, and not taken."""
    return sorted(_given(values) - set(SHAPES[shape]) - set(METADATA))


def said_of(left: Mapping[tuple[str, Shape], int]) -> list[str]:
    """One sentence for each field that was left out, `left` counting the rows."""
    return [
        f"{name} was left out of {rows} row{'s' if rows > 1 else ''} read as {', '.join(SHAPES[shape])}."
        for (name, shape), rows in sorted(left.items())
    ]


def _given(values: dict[str, Any]) -> set[str]:
    """CSV has no "absent", so an empty text counts as absent."""
    return {name for name in FIELDS if values.get(name) not in (None, "")}


def _shape_of(values: dict[str, Any]) -> Shape:
    """The first shape in the order of SHAPES that is there whole. Where none is, what there is of an answer tells which
    one was meant, and what it lacks is told."""
    given = _given(values)
    for shape, names in SHAPES.items():
        if given.issuperset(names):
            return shape
    if "chosen" in given or "rejected" in given:
        return "preference"
    if "completion" in given:
        return "completion"
    if "prompt" in given:
        raise RowRefused("completion", "is missing or empty: a prompt needs a completion, or chosen and rejected")
    raise RowRefused(None, "has none of: messages · prompt, completion · prompt, chosen, rejected · text")


def _content(shape: Shape, values: dict[str, Any]) -> Json:
    if shape == "messages":
        return {"messages": _messages(values["messages"])}
    content: Json = {name: clean_text(values.get(name), name) for name in SHAPES[shape]}
    if shape == "completion" and values.get("choices") not in (None, ""):
        content["choices"] = _choices(values["choices"], content["completion"])
    if shape == "preference" and content["chosen"] == content["rejected"]:
        raise RowRefused("rejected", "is the same as chosen")
    return content


def _choices(value: object, completion: str) -> list[str]:
    if isinstance(value, str):
        value = json_text.parse(value, "choices")
    if not isinstance(value, list):
        raise RowRefused("choices", "must be a list of texts")
    choices = [clean_text(choice, f"choices[{i}]") for i, choice in enumerate(cast(list[object], value))]
    if len(set(choices)) != len(choices) or len(choices) < 2:
        raise RowRefused("choices", "must be at least two texts, no two of them equal")
    if completion not in choices:
        raise RowRefused("choices", "do not hold the completion, which is the right one")
    return choices


def _messages(value: object) -> list[Json]:
    if isinstance(value, str):  # CSV and most Parquet files hold the list as JSON text
        value = json_text.parse(value, "messages")
    if not isinstance(value, list):
        raise RowRefused("messages", "must be a list of {role, content}")
    messages = [_message(item, f"messages[{i}]") for i, item in enumerate(cast(list[object], value))]
    roles = [message["role"] for message in messages]
    if not roles or roles[-1] != "assistant":
        raise RowRefused("messages", "must end with an assistant's message: it is what the model learns to say")
    if "user" not in roles:
        raise RowRefused("messages", "has no user's message before the answer")
    return messages


def _message(item: object, field: str) -> Json:
    if not isinstance(item, dict):
        raise RowRefused(field, "must be an object with role and content")
    message = cast(dict[str, object], item)
    extra = sorted(name for name in message if name not in ("role", "content") and message[name] is not None)
    if extra:
        raise RowRefused(f"{field}.{extra[0]}", "is not supported in a message; only role and content are")
    role = message.get("role")
    if role not in _ROLES:
        raise RowRefused(f"{field}.role", f"must be one of {', '.join(_ROLES)}")
    return {"role": role, "content": clean_text(message.get("content"), f"{field}.content")}


def _event_time(value: object, default: datetime) -> datetime:
    """ISO 8601 text, or a Parquet timestamp. A time without a zone is taken as UTC."""
    if value in (None, ""):
        return default
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RowRefused("event_time", "must be a time such as 2026-01-31T12:00:00Z") from None


def _key(field: str, value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(
            int(value) if isinstance(value, float) and value.is_integer() else value
        )  # 7.0: a column of numbers with gaps
    if value in (None, ""):
        raise RowRefused(field, "is missing or empty: it was named as the key, which says what a row is about")
    key = " ".join(clean_text(value, field).split())
    if len(key) > _LONGEST_NAME:
        raise RowRefused(field, f"is longer than {_LONGEST_NAME} characters, too long for a key")
    return key


def _name(field: str, value: object) -> str | None:
    if value in (None, ""):
        return None
    name = clean_text(value, field)
    if len(name) > _LONGEST_NAME:
        raise RowRefused(field, f"is longer than {_LONGEST_NAME} characters")
    return name


def _all_text(shape: Shape, content: Json) -> str:
    if shape == "messages":
        return "\n".join(message["content"] for message in content["messages"])
    return content.get("prompt", "") + "\n" + completion(shape, content) if shape != "text" else content["text"]
