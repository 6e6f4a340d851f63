"""What cuts an update short decides how it ends: cancelled is not failed."""

from collections.abc import Callable

import pytest

from clm.errors import Cancelled, ClmError, TrainingFailed
from clm.orchestration.inline import run_update
from clm.stages.work import Work
from cycle_home import Home


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (Cancelled("Somebody cancelled it."), "cancelled", "Somebody cancelled it."),
        (TrainingFailed("The loss is not finite."), "failed", "The loss is not finite."),
        (KeyError("lost"), "failed", "CLM made a mistake (KeyError: 'lost'). The worker's log has the details."),
    ],
)
def test_an_update_ends_as_what_cut_it_short(
    make_home: Callable[..., Home],
    monkeypatch: pytest.MonkeyPatch,
    error: ClmError | KeyError,
    state: str,
    told: str,
) -> None:
    def cut_short(*_: object) -> None:
        raise error

    monkeypatch.setattr(Work, "snapshot", cut_short)
    home = make_home()
    update_id = home.ask_for_update("colour")
    assert run_update(home.installation, update_id) == state
    assert (home.update(update_id).state, home.update(update_id).outcome) == (state, told)
