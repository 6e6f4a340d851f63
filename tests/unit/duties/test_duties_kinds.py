"""What every duty of the worker and every signal must keep to."""

from collections.abc import Generator
from pathlib import Path

import pytest

from clm.catalog import service as catalog
from clm.core.caller import Caller
from clm.core.clock import now
from clm.deployment import service as deployment
from clm.duties.duties import DUTIES
from clm.duties.signals.signal import Watched
from clm.duties.signals.signals import SIGNALS
from clm.installation import Installation, open_home
from clm.policies import ModelPolicy
from clm.records import Composition, Release
from clm.registry.tables import ReleaseRow
from clm.settings import Settings
from clm.updates.service import KINDS

TEST = Caller("test")


@pytest.fixture
def bare(tmp_path: Path) -> Generator[Installation]:
    on = open_home(Settings.load(home=tmp_path / "home"))
    yield on
    on.database.close()


@pytest.fixture
def with_a_task(bare: Installation) -> Installation:
    """A model that serves its base alone, with a task that has no data."""
    manifest = {"base": {"hash": "b" * 64}, "experts": {}, "router": None, "lineage": {}, "files": {}}
    path = f"releases/{'r' * 64}"
    release = Release("r" * 64, "m", 1, path, Composition("b" * 64, {}, None), None, manifest)
    policy = ModelPolicy.model_validate({"trigger": {"volume": 1}})
    with bare.database.transaction() as session:
        catalog.create_model(session, TEST, name="m", base_reference="b", base_hash="b" * 64, policy=policy)
        catalog.add_task(session, TEST, model="m", name="intent")
        session.add(
            ReleaseRow(
                id=release.release_id,
                model="m",
                number=1,
                parent=None,
                update_id=None,
                path=path,
                manifest=manifest,
                mlflow_version="1",
                created_at=now(),
            )
        )
        deployment.deploy_first(session, TEST, "m", release)
    return bare


@pytest.mark.parametrize("name", sorted(DUTIES))
def test_a_duty_finds_nothing_to_do_on_a_home_without_a_model(bare: Installation, name: str) -> None:
    kind, seconds = DUTIES[name]
    assert 0 < seconds <= 3600
    started: list[str] = []
    duty = kind(bare, started.append)
    for _ in range(2):
        duty.tick()
    duty.close()
    assert started == []


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_a_signal_says_no_with_a_reason_where_there_is_no_data(with_a_task: Installation, name: str) -> None:
    signal = SIGNALS[name]
    assert signal.kind in KINDS
    with with_a_task.database.read() as session:
        model = catalog.get_model(session, "m")
        decisions = signal.look(Watched(session, with_a_task.store, model, ["intent"], frozenset()))
    assert decisions.keys() <= {"intent"}
    for decision in decisions.values():
        assert not decision.update
        assert decision.reason
