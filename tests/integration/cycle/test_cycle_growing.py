"""A task grows a part for rows of another kind, refreshes it, and both are made one again."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from clm.core.files import read_json
from clm.duties.triggers import Triggers
from clm.ingest import dropping
from clm.policies import ModelPolicy
from clm.records import Release
from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.training import part_trials
from clm.updates import service as updates
from clm.updates.tables import Update
from clm.updates.views import update_out
from cycle_home import MODEL, POLICY, TEST, TOWNS, Home, colour_rows


def shouted(start: int, count: int) -> list[dict[str, str]]:
    """Another place and other answers than the task's so far."""
    return [
        {"prompt": f"WHERE IS {TOWNS[n % 4]}?! {n}!", "completion": TOWNS[n % 4]} for n in range(start, start + count)
    ]


def released(home: Home, update: Update) -> Release:
    assert update.release_id, update.outcome
    with home.database.read() as session:
        return registry.get(session, update.release_id)


def consolidate(home: Home) -> Update:
    with home.database.transaction() as session:
        update_id = updates.create_update(session, TEST, model=MODEL, task="colour", kind="consolidate").id
    return home.finish(update_id)


def choice_of(home: Home, update: Update) -> dict[str, object]:
    with home.database.read() as session:
        shown = update_out(session, home.update(update.id))
    detail = next(stage for stage in shown.stages if stage.name == "train").detail
    assert detail is not None
    return detail["choice"]


@pytest.mark.slow
def test_a_task_grows_a_part_and_makes_one_of_both(
    make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the trials measure decides, and a tiny base may decide for either; here they are made to decide to grow."""
    real = part_trials.decide
    monkeypatch.setattr(part_trials, "decide", lambda tried, refresh, name: replace(
        real({"grow": tried["grow"]}, refresh, name), evidence=real(tried, refresh, name).evidence))  # fmt: skip
    lenient = POLICY.gate.model_copy(update={"margin": 0.6})  # it is not about how well a tiny base learns
    home = make_home(policy=POLICY.model_copy(update={"gate": lenient}))
    first = released(home, home.run_update("colour"))
    refused = consolidate(home)
    assert refused.state == "failed" and "has one part in the release that serves" in (refused.outcome or "")

    home.take("colour", shouted(0, 48))
    grew = home.run_update("colour")
    second = released(home, grew)
    choice = choice_of(home, grew)
    assert choice["kind"] == "grow" and choice["part"] == "colour.2", choice
    assert set(second.composition.experts) == {"colour", "colour.2"}
    assert second.composition.experts["colour"] == first.composition.experts["colour"]
    made = bundles.read_lineage(home.settings.paths.releases / second.release_id)
    assert made["colour.2"]["training"]["choice"] == choice
    assert (made["colour"]["turn"], made["colour.2"]["turn"]) == (1, 2)
    assert bundles.newest_lineage(home.settings.paths.releases / second.release_id)["colour"] == made["colour.2"]
    assert second.manifest["lineage"]["confused"] == {"colour": 0.0}
    with home.database.read() as session:
        shown = update_out(session, home.update(grew.id)).verdict
    assert shown is not None and shown.tasks[0].role == "refreshed"

    home.take("colour", shouted(200, 20))
    again = home.run_update("colour")
    third = released(home, again)
    assert (choice_of(home, again)["kind"], choice_of(home, again)["part"]) == ("refresh", "colour.2")
    assert third.composition.experts["colour"] == first.composition.experts["colour"]
    assert third.composition.experts["colour.2"] != second.composition.experts["colour.2"]

    one = consolidate(home)
    fourth = released(home, one)
    assert set(fourth.composition.experts) == {"colour"}
    assert choice_of(home, one)["merged"] == ["colour.2"]
    assert fourth.manifest["lineage"]["kind"] == "consolidate" and "confused" not in fourth.manifest["lineage"]
    folder = home.settings.paths.updates / one.id
    candidate = read_json(folder / "evaluate" / "result.json")["compositions"]["candidate"]["scores"]["colour"]
    assert candidate["misrouted"] == 0

    home.take("colour", colour_rows(300, 8))
    last = home.run_update("colour")
    assert set(released(home, last).composition.experts) == {"colour"}


def test_too_many_parts_are_made_one_unasked_and_once(make_home: Callable[..., Home]) -> None:
    from experts_home import serve_experts

    home = make_home(policy=ModelPolicy.model_validate({**POLICY.model_dump(mode="json"), "parts": {"most_parts": 1}}))
    serve_experts(home, {"colour": colour_rows(0, 40), "colour.2": shouted(0, 40)})
    (update_id,) = Triggers(home.installation).tick()
    update = home.update(update_id)
    assert (update.kind, update.task, update.trigger) == ("consolidate", "colour", "parts")
    assert update.trigger_reason == "2 parts, and the policy allows 1"
    assert Triggers(home.installation).tick() == []
    with home.database.transaction() as session:
        row = updates.get_update(session, update_id)
        row.champion = registry.get(session, "v2", MODEL).release_id
        updates.finish(session, TEST, row, "rejected", "worse")
    assert Triggers(home.installation).tick() == []


def test_rows_that_nothing_could_be_learned_from_start_no_update(make_home: Callable[..., Home]) -> None:
    home = make_home(policy=ModelPolicy.model_validate({**POLICY.model_dump(mode="json"), "trigger": {"volume": 60}}))
    home.take("colour", colour_rows(100, 20))
    ids = [home.store.history(MODEL, row["prompt"])[0].record_id for row in colour_rows(100, 20)]
    for undo, started in ((False, 0), (True, 1)):
        with home.database.transaction() as session:
            dropping.drop(session, home.store, TEST, model=MODEL, record_ids=ids, suite=False, reason="x", undo=undo)
        assert len(Triggers(home.installation).tick()) == started


def test_rows_that_an_update_has_learned_are_not_counted_again(make_home: Callable[..., Home]) -> None:
    """Also those that came after it was asked for and before it pinned its data."""
    home = make_home(policy=ModelPolicy.model_validate({**POLICY.model_dump(mode="json"), "trigger": {"volume": 40}}))
    (update_id,) = (each for each in Triggers(home.installation).tick() if home.update(each).task == "colour")
    home.take("colour", colour_rows(100, 60))
    update = home.finish(update_id)
    assert update.state == "succeeded", update.outcome
    assert "colour" not in {home.update(each).task for each in Triggers(home.installation).tick()}
    home.take("colour", colour_rows(200, 60))
    assert "colour" in {home.update(each).task for each in Triggers(home.installation).tick()}


def test_an_update_that_pinned_nothing_is_not_begun_again_for_the_same_rows(make_home: Callable[..., Home]) -> None:
    home = make_home(policy=ModelPolicy.model_validate({**POLICY.model_dump(mode="json"), "trigger": {"volume": 40}}))
    started = Triggers(home.installation).tick()
    with home.database.transaction() as session:
        for update_id in started:
            updates.finish(session, TEST, updates.get_update(session, update_id), "failed", "no champion")
    assert started and Triggers(home.installation).tick() == []
