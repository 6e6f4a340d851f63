"""Both kinds of runner end alike: with result, reason, progress and cancellation."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import counting_job
from clm.core.artifacts import Artifacts
from clm.errors import Conflict, InvalidInput, TrainingFailed
from clm.jobs.job import Compute
from clm.jobs.progress import Progress
from clm.jobs.runners import RUNNERS
from counting_job import Counted, CountingJob

Run = Callable[..., Counted]


def asked(to: int = 3, fails: str | None = None) -> CountingJob:
    return CountingJob(base="none", artifacts=Artifacts(Path("/nowhere")), compute=Compute(1), to=to, fails=fails)


# A parameter has no fixtures of its own, so here the mark is given by hand.
OTHERS = [pytest.param(name, marks=pytest.mark.process) for name in sorted(RUNNERS) if name != "inline"]


@pytest.fixture(params=["inline", *OTHERS])
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    tests = str(Path(counting_job.__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")]))

    def run(job: CountingJob, watch: Callable[[Progress], None] = lambda _: None, **at_end: Any) -> Counted:
        return RUNNERS[request.param].run(job, tmp_path / "job", watch, at_end.get("at_end", lambda _: None))

    return run


def test_a_job_is_done_once_and_tells_all_that_it_said(run: Run) -> None:
    told: list[str] = []

    def listen(progress: Progress) -> None:
        told.extend(line["message"] for line in progress.take_messages())

    assert run(asked(), listen, at_end=listen) == Counted(last=3)
    assert told == ["1 of 3", "2 of 3", "3 of 3"]
    assert run(asked(), listen, at_end=listen) == Counted(last=3)
    assert len(told) == 3  # it was there already


def test_what_can_not_be_done_is_raised_as_the_job_said_it(run: Run) -> None:
    ended: list[Any] = []
    with pytest.raises(InvalidInput, match=r"^Nobody can count so far\.$"):
        run(asked(fails="in words"), at_end=lambda progress: ended.extend(progress.take_messages()))
    assert len(ended) == 3
    assert run(asked()) == Counted(last=3)  # the next attempt starts clean


def test_a_mistake_is_a_failed_training_with_its_last_word(run: Run) -> None:
    with pytest.raises(TrainingFailed, match=r"counting_job ended .*without a reason.*ValueError: a mistake"):
        run(asked(fails="a mistake"))


def test_who_watches_can_stop_it(run: Run, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.latest is not None:
            raise Conflict("Enough.")

    with pytest.raises(Conflict, match="Enough"):
        run(asked(to=1_000_000), stop)
    assert not (tmp_path / "job" / "result.json").exists()
