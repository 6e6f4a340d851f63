"""What was changed in the champion while an update ran gets no new signature."""

from collections.abc import Callable
from typing import Any

import pytest

from clm.registry import service as registry
from clm.stages.work import Work
from cycle_home import MODEL, Home


@pytest.mark.parametrize("part", ["lineage/colour.json", "features/colour.safetensors"])
def test_a_champion_that_is_changed_during_an_update_is_not_carried_over(
    make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    home = make_home()
    assert home.run_update("colour").state == "succeeded"
    with home.database.read() as session:
        newest = max(registry.list_releases(session, MODEL), key=lambda one: one.number)
    file = home.settings.paths.releases / newest.release_id / part
    gate = Work.gate

    def changed_afterwards(work: Work, *given: Any) -> Any:
        found = gate(work, *given)
        file.write_bytes(file.read_bytes() + b" ")
        return found

    monkeypatch.setattr(Work, "gate", changed_afterwards)
    update = home.run_update("town")
    assert update.state == "failed" and "was changed" in (update.outcome or "")
    with home.database.read() as session:
        assert max(one.number for one in registry.list_releases(session, MODEL)) == newest.number
