"""The model that answers suites, read from disk when the first answer is needed."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clm.llm.tokenizer import ChatTokenizer

if TYPE_CHECKING:
    from clm.llm.runtime import Runtime


class LazyModel:
    """The base's tokenizer, and its weights once they are needed."""

    def __init__(self, base: Path, threads: int, device: str = "cpu", dtype: str = "float32") -> None:
        self._base = base
        self._compute = threads, device, dtype

    @cached_property
    def tokenizer(self) -> ChatTokenizer:
        return ChatTokenizer(self._base)

    @cached_property
    def runtime(self) -> "Runtime":
        from clm.llm.base import load_base
        from clm.llm.runtime import Runtime

        return Runtime(load_base(self._base, *self._compute))
