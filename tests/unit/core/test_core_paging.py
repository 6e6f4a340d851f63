import pytest

from clm.core.paging import cut
from clm.errors import InvalidInput

ROWS = [f"row {n}" for n in range(7)]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_all_pages_together_are_the_list(limit: int) -> None:
    seen: list[str] = []
    cursor, pages = None, 0
    while True:
        page, cursor = cut(ROWS, str, cursor, limit)
        assert 0 < len(page) <= limit
        seen += page
        pages += 1
        if cursor is None:
            break
    assert seen == ROWS and pages == -(-len(ROWS) // limit)


def test_an_empty_list_is_one_page_and_an_unknown_cursor_is_told() -> None:
    assert cut([], str, None, 5) == ([], None)
    with pytest.raises(InvalidInput, match="begin anew"):
        cut(ROWS, str, "row 9", 5)
