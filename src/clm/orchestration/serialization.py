"""How durable steps are remembered: as JSON that names the record, never as pickle."""

import dataclasses
import json
from typing import Any

from dbos import Serializer
from pydantic import TypeAdapter

from clm import errors, records

_RECORDS: dict[str, type[Any]] = {
    name: kind for name, kind in vars(records).items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}
_ERRORS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        adapter: TypeAdapter[Any] = TypeAdapter(type(value))
        return {"__record__": type(value).__name__, "value": adapter.dump_python(value, mode="json")}
    if isinstance(value, BaseException):
        return {"__error__": type(value).__name__, "sentence": str(value), "ours": isinstance(value, errors.ClmError)}
    if isinstance(value, dict):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__record__" in value:
        return TypeAdapter(_RECORDS[value["__record__"]]).validate_python(value["value"])
    if "__error__" in value:
        otherwise = errors.ClmError if value.get("ours") else RuntimeError  # a sentence stays one
        return _ERRORS.get(value["__error__"], otherwise)(value["sentence"])
    return {key: _decode(item) for key, item in value.items()}


class JsonSerializer(Serializer):
    def serialize(self, data: Any) -> str:
        return json.dumps(_encode(data), allow_nan=False)

    def deserialize(self, serialized_data: str) -> Any:  # type: ignore[override]
        return _decode(json.loads(serialized_data))

    def name(self) -> str:
        return "clm-json"
