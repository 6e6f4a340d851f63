"""What is slow to make and never changes is kept for a while, by name."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """The `most` things that were asked for last. Safe between threads; two may make the same thing at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = Lock()

    def get(self, name: Hashable, make: Callable[[], T]) -> T:
        """The thing of this name; made where it is not there."""
        with self._lock:
            if name in self._things:
                self._things.move_to_end(name)
                return self._things[name]
        thing = make()
        with self._lock:
            self._things[name] = thing
            while len(self._things) > self._most:
                self._things.popitem(last=False)
        return thing
