"""All kinds of engines by name; the setting `engine` chooses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clm.errors import InvalidInput, unknown_name
from clm.serving.engines.engine import Engine, EngineControl
from clm.serving.engines.transformers import TransformersControl, TransformersEngine
from clm.settings import Settings


@dataclass(frozen=True)
class EngineKind:
    engine: Callable[[Settings], Engine]
    control: Callable[[Settings], EngineControl]


ENGINES: Mapping[str, EngineKind] = {
    "transformers": EngineKind(TransformersEngine, TransformersControl),
}


def engine_of(settings: Settings) -> Engine:
    """Raises InvalidInput for an engine that can't choose experts: no router runs beside the gateway yet."""
    engine = kind_of(settings).engine(settings)
    if not engine.routes:
        raise InvalidInput(
            f"The engine {settings.engine!r} can't choose experts by itself, and the gateway runs no router.",
            field="engine",
        )
    return engine


def control_of(settings: Settings) -> EngineControl:
    return kind_of(settings).control(settings)


def kind_of(settings: Settings) -> EngineKind:
    """Raises NotFound for a kind that is none, with the known ones."""
    if settings.engine not in ENGINES:
        raise unknown_name("kind of engine", settings.engine, list(ENGINES))
    return ENGINES[settings.engine]
