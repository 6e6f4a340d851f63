"""An update says why its training ended, and one that learned nothing is refused for that."""

from collections.abc import Callable

from clm.ingest import holding
from clm.policies import ModelPolicy
from clm.registry.bundle import read_lineage
from clm.updates import repository as update_rows
from cycle_home import MODEL, POLICY, Home, colour_rows


def of(**training: object) -> ModelPolicy:
    changed = {**POLICY.training.model_dump(mode="json"), **training}
    return ModelPolicy.model_validate({"training": changed, "rollout": {"kind": "blue-green"}, "gate": {"margin": 0.2}})


def test_an_update_tells_why_its_training_ended(make_home: Callable[..., Home]) -> None:
    home = make_home(policy=of(length="auto", least_steps=40, held_back=0.25))
    home.take("colour", colour_rows(60, 24), suite=True)  # of two digits, as those that are taught
    update = home.run_update("colour")
    assert update.state == "succeeded" and update.release_id, update.outcome
    with home.database.read() as session:
        stages = {stage.name: stage.detail or {} for stage in update_rows.stages_of(session, update.id)}
    told = stages["train"]
    assert "after" in told["stopped"] and told["looks"][0][2] > told["looks"][-1][2]
    length = read_lineage(home.settings.paths.releases / update.release_id)["colour"]["training"]["notes"]["length"]
    assert length["held_back_rows"] == 12 and length["stopped"] == told["stopped"] and length["steps"] == told["steps"]


def test_an_update_that_learned_nothing_is_refused_and_its_rows_are_free(make_home: Callable[..., Home]) -> None:
    home = make_home(policy=of(epochs=2, learning_rate=1e-7))
    update = home.run_update("colour")
    assert update.state == "rejected" and update.release_id is None
    assert (update.outcome or "").startswith("Learned nothing of colour: 0.00 before and 0.00 after on 24 examples")
    assert "the policy asks for 2 epochs" in (update.outcome or "")
    with home.database.read() as session:
        assert "repair" not in [stage.name for stage in update_rows.stages_of(session, update.id)]
        assert not holding.left_out(session, MODEL)
