"""What every kind of engine can be asked, by the gateway and by whoever moves traffic.

An engine holds releases and answers with them. The gateway knows it as an `Engine`, rollouts as an `EngineControl`; a
kind of engine is one file with both, and a line in `clm.serving.engines.engines`.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

from clm.errors import ClmError
from clm.records import Json, Shape


class EngineFailed(ClmError):
    """The engine gave no answer: it is down, too slow, or this release fails in it."""

    status = 503
    title = "The engine gave no answer"


@dataclass(frozen=True)
class EngineRequest:
    """One question to a release: `messages`, or a `prompt`."""

    release_id: str
    messages: list[dict[str, str]] | None = None
    prompt: str | None = None
    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineAnswer:
    text: str
    expert: str  # whose expert answered, the nearest where several were mixed, or clm.records.BASE
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str  # "stop" | "length"


class Engine(ABC):
    """As the gateway asks it."""

    routes = True  # chooses the expert by itself; else the gateway would have to run the router and say it

    @abstractmethod
    async def answer(self, request: EngineRequest) -> EngineAnswer:
        """Raises EngineFailed, or InvalidInput where the engine refuses the request itself. Cancelled, it stops."""

    @abstractmethod
    def stream(self, request: EngineRequest) -> AsyncGenerator[str | EngineAnswer]:
        """Pieces of text, then the whole answer. Raises as `answer`, also in the middle."""

    @abstractmethod
    async def is_up(self) -> bool: ...

    @abstractmethod
    async def close(self) -> None: ...


@dataclass(frozen=True)
class Held:
    """Which releases an engine can answer with, is loading, and can't load (with the reason)."""

    ready: frozenset[str] = frozenset()
    loading: frozenset[str] = frozenset()
    errors: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def known(self) -> frozenset[str]:
        return self.ready | self.loading | self.errors.keys()


@dataclass(frozen=True)
class Question:
    """An example as the gate evaluated it."""

    shape: Shape
    content: Json
    max_tokens: int


class NoEngine(Exception):
    """Nothing listens where the engine should be."""


class EngineControl(ABC):
    """As a rollout asks it."""

    @abstractmethod
    def hold(self, releases: Mapping[str, str]) -> None:
        """Asks for these releases (id -> base's hash) and no others to be held, the first ones first. Returns at once;
        an engine that follows the routes by itself needs no asking."""

    @abstractmethod
    def held(self) -> Held:
        """Raises NoEngine, or EngineFailed where one is there and does not say."""

    @abstractmethod
    def probe(self, release_id: str, questions: Sequence[Question]) -> list[EngineAnswer]:
        """Answers greedily and without faults, as the gate's evaluation did. May take minutes. Raises as `held`."""

    @abstractmethod
    def close(self) -> None: ...
