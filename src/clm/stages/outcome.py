"""What a stage gives back."""

from typing import Any, TypeVar

T = TypeVar("T")
Done = tuple[T, dict[str, Any], str]  # its result, a detail for the dashboard and a sentence for the log
