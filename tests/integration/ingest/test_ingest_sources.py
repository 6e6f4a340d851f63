"""What every kind of source must keep to."""

from typing import Any

import pytest
from ingest_room import CALLER, Room

from clm.errors import InvalidInput, NotFound
from clm.ingest.sources import service
from clm.ingest.sources.kinds import SOURCES


@pytest.mark.parametrize("kind", sorted(SOURCES))
@pytest.mark.parametrize("settings", [{"no-such-setting": 1}, {"path": 3, "no-such-setting": None}])
def test_settings_that_can_not_work_are_refused_by_field(room: Room, kind: str, settings: dict[str, Any]) -> None:
    with room.database.transaction() as session, pytest.raises(InvalidInput) as refused:
        service.add(session, CALLER, kind=kind, settings=settings, model="m", task="intent")
    assert str(refused.value.details.get("field", "")).startswith("settings.")
    assert service.poll(room.intake) == []


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_a_source_needs_a_task_that_is_there(room: Room, kind: str) -> None:
    with room.database.transaction() as session, pytest.raises(NotFound):
        service.add(session, CALLER, kind=kind, settings={}, model="m", task="nobody's")
