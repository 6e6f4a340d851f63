"""Paths in what stages hand on: remembered relative to the home, so that a home can be moved under an update."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from clm.records import Evaluation, Judged, Mixture, Trained

T = TypeVar("T")


def placed(value: T, home: Path) -> T:
    """With paths that can be opened. One that is absolute already stays."""
    return _with_paths(value, lambda path: str(home / path))


def remembered(value: T, home: Path) -> T:
    """With paths relative to the home, where they lie in it."""
    return _with_paths(
        value, lambda path: str(Path(path).relative_to(home)) if Path(path).is_relative_to(home) else path
    )


def _with_paths(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case Mixture():
            return replace(value, path=change(value.path)) if value.path else value
        case Trained():
            return replace(value, described=change(value.described)) if value.described else value
        case Evaluation():
            return replace(value, answers=change(value.answers))
        case Judged():
            return replace(
                value,
                mixture=_with_paths(value.mixture, change),
                trained=_with_paths(value.trained, change),
                evaluations=_with_paths(value.evaluations, change),
            )
        case dict():
            return {name: _with_paths(each, change) for name, each in value.items()}
        case _:
            return value
