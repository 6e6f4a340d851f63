"""What every kind of engine must keep to, where none answers: what it does with a real one, integration tests say."""

import asyncio
import socket
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from clm.errors import NotFound
from clm.serving.engines.engine import EngineFailed, EngineRequest, NoEngine, Question
from clm.serving.engines.engines import ENGINES, control_of, engine_of
from clm.settings import Settings


@pytest.fixture(params=sorted(ENGINES))
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Settings]:
    with socket.create_server(("127.0.0.1", 0)) as taken:  # bound, so that nobody else takes it; then nobody listens
        port = taken.getsockname()[1]
    yield Settings(home=tmp_path, engine=request.param, engine_port=port)


def test_the_gateway_is_told_that_there_is_no_answer(settings: Settings) -> None:
    request = EngineRequest("r" * 64, messages=[{"role": "user", "content": "hi"}], max_tokens=4)

    async def ask() -> None:
        engine = engine_of(settings)
        assert not await engine.is_up()
        with pytest.raises(EngineFailed):
            await engine.answer(request)
        with pytest.raises(EngineFailed):
            await anext(engine.stream(request))
        await engine.close()

    asyncio.run(ask())


def test_a_rollout_is_told_that_nothing_holds_releases(settings: Settings) -> None:
    control = control_of(settings)
    began = time.monotonic()
    control.hold({"r" * 64: "base"})
    assert time.monotonic() - began < 5
    with pytest.raises((NoEngine, EngineFailed)):
        control.held()
    with pytest.raises((NoEngine, EngineFailed)):
        control.probe("r" * 64, [Question("completion", {"prompt": "hi", "completion": "ho"}, 4)])
    control.close()


def test_an_unknown_engine_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="transformers"):
        engine_of(Settings(home=tmp_path, engine="transformer"))
