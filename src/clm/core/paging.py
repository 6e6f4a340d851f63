"""Lists come in pages: `limit` items, and a `next_cursor` that asks for what follows; null: that was all."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query

from clm.errors import InvalidInput

Item = TypeVar("Item")
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=500)]


def cut(
    rows: Sequence[Item], key: Callable[[Item], object], cursor: str | None, limit: int
) -> tuple[Sequence[Item], str | None]:
    """A page of a list that is short enough to be read whole, and the next one's cursor. `key` tells its items apart.

    Raises InvalidInput for a cursor that names no item.
    """
    names = [str(key(row)) for row in rows]
    if cursor is not None and cursor not in names:
        raise unknown_cursor()
    start = 0 if cursor is None else names.index(cursor) + 1
    following = names[start + limit - 1] if start + limit < len(rows) else None
    return rows[start : start + limit], following


def unknown_cursor() -> InvalidInput:
    return InvalidInput(
        "The cursor is the `next_cursor` of the page before; what it names may be gone: begin anew.", field="cursor"
    )
