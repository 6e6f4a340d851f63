"""Methods that share one adapter go through the cycle: tasks of one adapter change together, its state is kept."""

from collections.abc import Callable

from clm.deployment import repository as rollouts
from clm.policies import ModelPolicy
from clm.registry.bundle import BundlePaths, load_bundle, read_lineage
from cycle_home import MODEL, POLICY, Home


def champion(home: Home) -> BundlePaths:
    with home.database.read() as session:
        release = rollouts.get_deployment(session, MODEL).champion
    return load_bundle(home.settings.paths.releases / release, home.settings.paths.keys)


def test_one_adapter_for_all_tasks_with_replay_and_consolidation(make_home: Callable[..., Home]) -> None:
    chosen = [{"name": "replay", "share": 1.0}, {"name": "ewc", "weight": 0.01}]
    training = {**POLICY.training.model_dump(), "strategies": chosen}
    policy = ModelPolicy.model_validate({**POLICY.model_dump(), "training": training})
    home = make_home(policy=policy)
    first = home.run_update("colour")
    assert first.state == "succeeded", first.outcome
    before = champion(home)
    second = home.run_update("town")
    assert second.state == "succeeded", second.outcome
    after = champion(home)

    assert after.experts["colour"][0] == after.experts["town"][0] != before.experts["colour"][0]
    assert set(before.states) == set(after.states) == {"shared"}
    assert before.states["shared"].read_bytes() != after.states["shared"].read_bytes()
    lineage = read_lineage(home.settings.paths.releases / after.release_id)
    assert lineage["town"]["training"]["notes"]["rows"] == {"new": 48, "legacy": {"colour": 48}}
    assert after.manifest["lineage"]["mixture"]["replayed"] == {"colour": 48}
