"""What every kind of target must keep to."""

from dataclasses import replace
from pathlib import Path

import pytest

from clm.deployment.targets.target import Target
from clm.deployment.targets.targets import TARGETS, target_of
from clm.errors import NotFound
from clm.formats.routes import Route, Routes
from clm.settings import Settings

ROUTE = Route("support", "base", "a" * 64, None, "b" * 64, 10.0, 64, 0.0, "live")
CANARY = Routes(1, {"support": ROUTE})
BACK = Routes(2, {"support": replace(ROUTE, candidate=None, candidate_share=0.0, candidate_state=None)})


@pytest.fixture(params=sorted(TARGETS))
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    settings = Settings(home=tmp_path, target=request.param)
    settings.paths.create()
    return target_of(settings)


def test_what_it_was_told_last_is_what_serves(target: Target) -> None:
    assert target.applied() is None
    for routes in (CANARY, CANARY, BACK, CANARY):  # again, back, and what a late writer would say
        target.apply(routes)
        assert target.applied() == routes.revision


def test_another_one_on_the_same_home_sees_the_same(target: Target) -> None:
    target.apply(CANARY)
    assert type(target)(target.settings).applied() == 1


def test_an_unknown_target_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="local"):
        target_of(Settings(home=tmp_path, target="lokal"))
