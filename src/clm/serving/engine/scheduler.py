"""Answers requests: gathers those that wait into one batch, whatever release and expert they need.

Two lanes, a thread each, so that a long answer never holds up the short ones. They may use one runtime at once: it
keeps nothing between calls but its experts, and those change only while both lanes rest (see Slots).
"""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import numpy as np

from clm.errors import ClmError, Unavailable
from clm.llm.blends import blend_name
from clm.llm.reading import Reading
from clm.llm.runtime import GenerationRequest, Runtime
from clm.records import BASE
from clm.serving.engine.slots import Slot, Slots
from clm.serving.engines.engine import EngineAnswer

Mix = list[tuple[str, float]]  # tasks and their weights, the nearest first

log = logging.getLogger(__name__)

MOST_ROWS = 32  # requests of one batch
SHORT_ANSWER = 256  # tokens; whoever wants more takes the long lane
GATHER_SECONDS = 0.005  # after the first request, how long others may still join


@dataclass(eq=False)
class Job:
    """One request: what to generate, and where the answer goes.

    `request.expert_hash` is left open: the release's router sets it, from `routing_ids`.
    """

    slot: Slot
    request: GenerationRequest
    routing_ids: list[int]
    on_text: Callable[[str], None] | None = None  # called in the scheduler's thread
    done: "Future[EngineAnswer]" = field(default_factory=lambda: Future[EngineAnswer]())
    cancelled: threading.Event = field(default_factory=threading.Event)
    streamed: bool = False


class Scheduler:
    def __init__(self, slots: Slots) -> None:
        self._short = _Lane("short answers", slots.resting[0])
        self._long = _Lane("long answers", slots.resting[1])

    def start(self) -> None:
        self._short.start()
        self._long.start()

    def submit(self, job: Job) -> None:
        lane = self._short if job.request.max_new_tokens <= SHORT_ANSWER else self._long
        lane.submit(job)

    def close(self) -> None:
        """Answers what waits, then ends."""
        self._short.close()
        self._long.close()


class _Lane:
    """One thread with its queue. It holds `working` while it uses a runtime."""

    def __init__(self, name: str, working: threading.Lock) -> None:
        self._working = working
        self._waiting: queue.Queue[Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._waiting.put(job)

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            jobs, last = self._gather(first)
            by_runtime: dict[int, list[Job]] = {}
            for job in jobs:
                if job.cancelled.is_set():  # who asked left while it waited
                    job.done.cancel()
                    continue
                by_runtime.setdefault(id(job.slot.runtime), []).append(job)
            for batch in by_runtime.values():
                self._answer_all(batch)
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        jobs = [first]
        while len(jobs) < MOST_ROWS:
            try:
                job = self._waiting.get(timeout=GATHER_SECONDS)
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _answer_all(self, jobs: list[Job]) -> None:
        """Answers a batch. If it fails, each request is tried alone, so that a bad one fails alone."""
        try:
            with self._working:
                answers = _answer(jobs)
        except Exception as error:
            for job in jobs:
                if len(jobs) == 1 or job.streamed:  # what was streamed can't be taken back
                    job.done.set_exception(_told(error, job))
                else:
                    self._answer_all([job])
            return
        for job, answer in zip(jobs, answers, strict=True):
            job.done.set_result(answer)


def _told(error: Exception, job: Job) -> ClmError:
    if isinstance(error, ClmError):
        return error
    log.error("a request to release %s failed", job.slot.release_id, exc_info=error)
    return Unavailable(f"The engine failed on this request ({type(error).__name__}).")


def _answer(jobs: list[Job]) -> list[EngineAnswer]:
    runtime = jobs[0].slot.runtime
    routed, readings = _route(runtime, jobs)
    requests = [replace(job.request, expert_hash=_expert_name(job, mix)) for job, mix in zip(jobs, routed, strict=True)]

    def on_token(index: int, text: str) -> None:
        job = jobs[index]
        if job.on_text is not None:
            job.streamed = True
            job.on_text(text)

    completions = runtime.generate(requests, on_token, lambda index: jobs[index].cancelled.is_set(), readings)
    return [
        EngineAnswer(c.text, mix[0][0], c.prompt_tokens, c.completion_tokens, c.finish_reason)
        for c, mix in zip(completions, routed, strict=True)
    ]


def _route(runtime: Runtime, jobs: list[Job]) -> tuple[list[Mix], list[Reading | None]]:
    """Per request the tasks whose experts answer, or BASE, and its prompt as far as it was read for that.

    Prompts are read once, for all releases together and for the answer too.
    """
    routed: list[Mix] = [[(BASE, 1.0)] for _ in jobs]
    readings: list[Reading | None] = [None] * len(jobs)
    asking = [n for n, job in enumerate(jobs) if job.slot.router is not None]
    if not asking:
        return routed, readings
    old = runtime.base.old_reading
    routers = {n: router for n in asking if (router := jobs[n].slot.router) is not None}
    points = sorted({router.point or old for router in routers.values()})
    fresh = runtime.read([jobs[n].routing_ids for n in asking], points)
    for n, reading in zip(asking, fresh, strict=True):
        readings[n] = reading
    for slot in {jobs[n].slot for n in asking}:
        rows = [row for row, n in enumerate(asking) if jobs[n].slot is slot]
        if slot.router is not None:
            features = np.stack([fresh[row].features[slot.router.point or old] for row in rows])
            for row, mix in zip(rows, slot.router.mix(features), strict=True):
                routed[asking[row]] = mix
    return routed, readings


def _expert_name(job: Job, mix: Mix) -> str | None:
    """None: the base answers, also for a task whose expert the release does not hold."""
    parts = [(job.slot.experts[task], weight) for task, weight in mix if task in job.slot.experts]
    return blend_name(parts) if parts else None
