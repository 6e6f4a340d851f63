"""Home speaks of the model that the other pages speak of."""

from collections.abc import Callable
from typing import Any

import pytest

from clm.catalog import service as catalog
from clm.policies import ModelPolicy
from clm.updates import service as updates
from clm.views import service
from cycle_home import MODEL, TEST, Home


def test_without_a_name_it_is_the_first_model_whatever_was_updated_last(make_home: Callable[..., Home]) -> None:
    home = make_home()
    with home.database.transaction() as session:
        first = catalog.get_model(session, MODEL)
        catalog.create_model(
            session, TEST, name="newer", base_reference="tiny", base_hash=first.base_hash, policy=ModelPolicy()
        )
        catalog.add_task(session, TEST, model="newer", name="intent")
        updates.create_update(session, TEST, model="newer", task="intent")
    with home.database.read() as session:
        found = service.overview(session, None)
        assert (found.model, found.models) == (MODEL, [MODEL, "newer"])


def test_home_puts_its_ledger_together_once(make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    real = service.build_ledger

    def counting(model: str, *others: Any) -> Any:
        built.append(model)
        return real(model, *others)

    monkeypatch.setattr(service, "build_ledger", counting)
    with make_home().database.read() as session:
        found = service.overview(session, MODEL)
        assert built == [MODEL]
        assert found.ledger == service.ledger_out(session, MODEL)
