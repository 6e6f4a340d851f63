"""The engine's inside: slots follow the routes and unload, and a bad request fails alone in its batch."""

import asyncio
import shutil
import time
from collections.abc import Generator
from concurrent.futures import Future
from pathlib import Path

import pytest

from clm.errors import ClmError, InvalidInput, NotFound, TamperedArtifact, Unavailable
from clm.llm.prompts import chat_ids
from clm.llm.runtime import GenerationRequest
from clm.serving.engine.app import Engine
from clm.serving.engine.release import read_release
from clm.serving.engine.scheduler import SHORT_ANSWER, Job, Scheduler
from clm.serving.engine.slots import Slot, Slots
from clm.serving.engines.engine import EngineAnswer
from clm.serving.routes import RoutesFile
from serving_home import PROMPTS, ServingHome, make_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServingHome]:
    home = make_home(tmp_path_factory.mktemp("engine"), count=2)
    yield home
    home.database.close()


@pytest.fixture
def slots(home: ServingHome) -> Slots:
    slots = Slots(home.settings, RoutesFile(home.settings.paths.routes), grace_seconds=0)
    slots.follow()
    return slots


def id_of(home: ServingHome, name: str) -> str:
    return home.releases[name].release_id


def test_slots_follow_the_routes_and_unload_what_is_no_longer_named(home: ServingHome, slots: Slots) -> None:
    assert list(slots.ready()) == [id_of(home, "v1")]
    with pytest.raises(NotFound, match="no route names it"):
        slots.find(id_of(home, "v2"))
    home.begin("v2")
    assert slots.find(id_of(home, "v2")) is None  # named, and on its way
    slots.follow()
    both = slots.ready()
    assert set(both) == {id_of(home, "v1"), id_of(home, "v2")}
    runtime = both[id_of(home, "v1")].runtime
    assert both[id_of(home, "v2")].runtime is runtime
    assert len(runtime.experts) == 3  # one is shared, and must stay when the other release goes
    home.act("abort")
    slots.follow()
    assert list(slots.ready()) == [id_of(home, "v1")]
    assert set(runtime.experts) == set(home.releases["v1"].composition.experts.values())


def test_a_release_that_is_no_longer_named_answers_for_a_while(home: ServingHome) -> None:
    patient = Slots(home.settings, RoutesFile(home.settings.paths.routes), grace_seconds=60)
    home.begin("v2")
    patient.follow()
    home.act("abort")
    patient.follow()
    assert patient.find(id_of(home, "v2")) is not None


@pytest.mark.parametrize("damage", ["changed", "missing", "extra", "manifest", "link", "gone"])
def test_damage_of_any_kind_is_found_before_loading(home: ServingHome, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / id_of(home, "v1")
    shutil.copytree(home.settings.paths.releases / folder.name, folder)
    assert read_release(folder).base_hash == home.base.hash
    weights = folder / "experts" / "sums" / "adapter_model.safetensors"
    if damage == "changed":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    elif damage == "missing":
        weights.unlink()
    elif damage == "extra":
        (folder / "experts" / "sums" / "evil.py").write_text("import os")
    elif damage == "manifest":
        (folder / "manifest.json").write_text((folder / "manifest.json").read_text() + " ")
    elif damage == "link":
        other = tmp_path / "weights"
        weights.rename(other)
        weights.symlink_to(other)
    else:
        shutil.rmtree(folder)
    with pytest.raises(TamperedArtifact):
        read_release(folder)


def job(home: ServingHome, slot: Slot, prompt: str, tokens: int = 6) -> Job:
    ids = chat_ids(home.base.tokenizer, [{"role": "user", "content": prompt}])
    return Job(slot, GenerationRequest(ids, None, tokens), ids)


def outcome(done: "Future[EngineAnswer]") -> EngineAnswer | ClmError:
    try:
        return done.result(timeout=30)
    except ClmError as error:
        return error


def test_one_batch_answers_many_and_a_bad_request_fails_alone(home: ServingHome, slots: Slots) -> None:
    slot = slots.ready()[id_of(home, "v1")]
    prompts = [*PROMPTS["colors"][:4], *PROMPTS["sums"][:4]]
    jobs = [job(home, slot, prompt) for prompt in prompts]
    bad = Job(slot, GenerationRequest([], None, 6), [])
    scheduler = Scheduler(slots)
    for one in [*jobs[:4], bad, *jobs[4:]]:
        scheduler.submit(one)
    scheduler.start()
    answers = [outcome(one.done) for one in jobs]
    assert isinstance(outcome(bad.done), InvalidInput)
    scheduler.close()
    found = [(a.text, a.expert) for a in answers if isinstance(a, EngineAnswer)]
    assert found == [home.expected("v1", prompt, 6) for prompt in prompts]


def test_a_long_answer_does_not_hold_up_short_ones(home: ServingHome, slots: Slots) -> None:
    slot = slots.ready()[id_of(home, "v1")]
    scheduler = Scheduler(slots)
    long = job(home, slot, "a long story", tokens=SHORT_ANSWER + 1000)
    scheduler.submit(long)
    scheduler.start()
    time.sleep(0.1)
    assert isinstance(outcome(scheduler_answers(scheduler, job(home, slot, "1+1="))), EngineAnswer)
    assert not long.done.done()
    long.cancelled.set()  # its client has gone
    assert isinstance(outcome(long.done), EngineAnswer)
    scheduler.close()


def test_who_leaves_stops_its_answer_and_the_lane_goes_on(home: ServingHome) -> None:
    async def leave() -> tuple[Job, Job, EngineAnswer]:
        slot = engine.slots.ready()[id_of(home, "v1")]
        going, waiting = (job(home, slot, "a long story", tokens=SHORT_ANSWER + 1000) for _ in range(2))
        asking = [asyncio.ensure_future(engine.answer(one)) for one in (going, waiting)]
        await asyncio.sleep(0.2)
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
        return going, waiting, await asyncio.wait_for(engine.answer(job(home, slot, "1+1=", tokens=2)), 30)

    engine = Engine(home.settings)
    engine.slots.follow()
    engine.scheduler.start()
    try:
        going, waiting, answer = asyncio.run(leave())
        assert going.cancelled.is_set() and waiting.cancelled.is_set()
        assert answer.completion_tokens <= 2
        long = job(home, going.slot, "1+1=", tokens=SHORT_ANSWER + 1)  # the lane that was left
        assert isinstance(outcome(scheduler_answers(engine.scheduler, long)), EngineAnswer)
    finally:
        engine.scheduler.close()


def scheduler_answers(scheduler: Scheduler, one: Job) -> "Future[EngineAnswer]":
    scheduler.submit(one)
    return one.done


def test_what_can_not_be_loaded_is_told_and_tried_again(home: ServingHome) -> None:
    slots = Slots(home.settings, RoutesFile(home.settings.paths.routes), try_again_seconds=0)
    base = home.settings.paths.bases / home.base.hash
    away = base.with_name("away")
    base.rename(away)
    try:
        slots.follow()
        with pytest.raises(Unavailable, match=home.base.hash[:12]):
            slots.find(id_of(home, "v1"))
        assert set(slots.errors()) == {id_of(home, "v1")}
    finally:
        away.rename(base)
    slots.follow()
    assert slots.find(id_of(home, "v1")) is not None
    assert slots.errors() == {}
