"""What was asked for last is kept, and no more of it than was agreed."""

import pytest

from clm.core.recent import Recent


def test_a_thing_is_made_once_while_it_is_asked_for() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)

    def ask(name: str) -> str:
        return recent.get(name, lambda: made.append(name) or name.upper())

    assert [ask(name) for name in ("a", "b", "a", "c", "a")] == ["A", "B", "A", "C", "A"]
    assert made == ["a", "b", "c"]
    ask("b")  # it was the one that had not been asked for the longest
    assert made == ["a", "b", "c", "b"]


def test_what_could_not_be_made_is_tried_again() -> None:
    recent: Recent[int] = Recent(1)
    tries = iter([ZeroDivisionError, 7])

    def make() -> int:
        if isinstance(one := next(tries), int):
            return one
        raise one

    with pytest.raises(ZeroDivisionError):
        recent.get("x", make)
    assert recent.get("x", make) == 7
