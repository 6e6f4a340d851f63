"""The router on made-up features: tasks apart, general prompts to the base, and a fit that can be repeated."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clm.errors import InvalidInput, TamperedArtifact, UnsafeModel
from clm.llm.discriminant import Features, ledoit_wolf
from clm.llm.points import Point
from clm.llm.router import (
    Seen,
    answer_numbers,
    fit_router,
    load_features,
    load_router,
    save_features,
    save_router,
)
from clm.records import BASE

WIDTH = 96


def _cloud(seed: int, n: int, where: int, spread: float = 1.0) -> Features:
    """Correlated rows around a centre of their own; `where` numbers the centre."""
    mixing = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)) / WIDTH**0.5
    centre = np.random.default_rng(1000 + where).standard_normal(WIDTH) * 1.5
    noise = np.random.default_rng(seed).standard_normal((n, WIDTH)) * spread
    return (centre + noise @ mixing).astype(np.float32)


TASKS = {"a": _cloud(1, 60, 1), "b": _cloud(2, 45, 2), "c": _cloud(3, 80, 3)}
GENERAL = _cloud(4, 70, 9, spread=2.0)
STRANGERS = TASKS["a"] * 4 - 3 * GENERAL.mean(0)  # on the tasks' side of general prompts, and far beyond


def test_each_task_keeps_its_new_prompts_and_strangers_go_to_the_base() -> None:
    router = fit_router(TASKS, GENERAL, seed=5)
    for number, task in enumerate("abc", start=1):
        assert np.mean([r == task for r in router.route(_cloud(10 + number, 200, number))]) >= 0.97
    assert np.mean([r == BASE for r in router.route(_cloud(20, 200, 9, spread=2.0))]) >= 0.97
    assert np.mean([r == BASE for r in router.route(STRANGERS)]) >= 0.97  # like neither


def test_without_the_threshold_strangers_would_reach_an_expert() -> None:
    open_to_all = replace(fit_router(TASKS, GENERAL, seed=5), thresholds=np.full(3, np.inf))
    assert np.mean([r == BASE for r in open_to_all.route(STRANGERS)]) < 0.5


def test_without_their_own_class_general_prompts_near_a_task_would_reach_its_expert() -> None:
    near = _cloud(6, 140, 1) + np.float32(0.5)
    router = fit_router({"a": TASKS["a"]}, near[:70], seed=5)
    inside = router.nearness.distances(near[70:])[:, 0] <= router.thresholds[0]
    assert inside.mean() > 0.5
    assert np.mean([r == BASE for r in router.route(near[70:])]) > 0.95
    assert np.mean([r == "a" for r in router.route(_cloud(11, 200, 1))]) > 0.9


def test_behind_the_tasks_instruction_strangers_are_known_by_what_else_they_say() -> None:
    """An instruction moves all prompts to where the task's are: strangers that were read behind it still stand out."""
    instruction = (TASKS["a"].mean(0) - GENERAL.mean(0)) * np.float32(0.8)
    behind, asked = GENERAL + instruction, _cloud(20, 200, 9, spread=2.0) + instruction
    without, told = fit_router(TASKS, GENERAL, seed=5), fit_router(TASKS, [GENERAL, behind], seed=5)
    assert np.mean([r == BASE for r in without.route(asked)]) < 0.5
    assert np.mean([r == BASE for r in told.route(asked)]) > 0.9
    assert np.mean([r == "a" for r in told.route(_cloud(11, 200, 1))]) > 0.9
    assert np.mean([r == BASE for r in told.route(_cloud(20, 200, 9, spread=2.0))]) >= 0.97


def test_a_router_from_before_goes_by_the_nearest_centre_alone(tmp_path: Path) -> None:
    new = fit_router(TASKS, GENERAL, seed=5)
    old = load_router(save_router(replace(new, strangers=None), tmp_path)[1])
    assert old.strangers is None
    prompts = np.concatenate([_cloud(12, 40, 2), _cloud(13, 40, 3), GENERAL])
    nearest = [(*old.tasks, BASE)[n] for n in old.discriminant.distances(prompts).argmin(1)]
    assert old.route(prompts) == nearest
    loaded = load_router(save_router(new, tmp_path)[1])
    assert loaded.strangers is not None and loaded.route(prompts) == new.route(prompts)
    broken = replace(new, discriminant=replace(new.discriminant, centres=new.discriminant.centres[:3]))
    with pytest.raises(UnsafeModel, match="not those of its discriminant"):
        load_router(save_router(broken, tmp_path)[1])


def test_a_task_in_many_places_is_found_by_its_answers() -> None:
    """Two tasks with three answers each, whose prompts lie in between each other: their middles are the same."""
    places = {"a": (1, 2, 3), "b": (4, 5, 6)}
    middle = np.mean([_cloud(0, 1, where, spread=0.0)[0] for where in range(1, 7)], 0)

    def prompts(task: str, seed: int, n: int) -> Features:
        mine = np.concatenate([_cloud(seed + where, n, where) for where in places[task]])
        return (mine - mine.mean(0) + middle).astype(np.float32)

    rows = {task: prompts(task, 30, 20) for task in places}
    answers = {task: answer_numbers([f"{task} {n // 20}" for n in range(60)]) for task in places}
    one_class, by_answer = fit_router(rows, GENERAL, 5), fit_router(rows, GENERAL, 5, answers=answers)
    assert (one_class.classes, by_answer.classes) == ((1, 1), (3, 3))
    right = [np.mean([r == task for task in places for r in router.route(prompts(task, 60, 50))])
             for router in (one_class, by_answer)]  # fmt: skip
    assert right[0] < 0.7 and right[1] > 0.95
    assert np.mean([r == BASE for r in by_answer.route(_cloud(20, 200, 9, spread=2.0))]) >= 0.97
    np.testing.assert_array_equal(by_answer.thresholds, one_class.thresholds)  # what is near a task is as before


def test_rare_answers_share_a_class_and_numbers_do_not_depend_on_the_call() -> None:
    texts = ["yes"] * 20 + ["no"] * 37 + ["perhaps", "perhaps", "never"]
    router = fit_router(TASKS, GENERAL, 5, answers={"a": answer_numbers(texts), "b": None})
    assert router.classes == (3, 1, 1)
    assert answer_numbers(["no"])[0] == answer_numbers(texts)[20] != answer_numbers(texts)[0]
    assert fit_router(TASKS, GENERAL, 5, answers={"a": answer_numbers(["yes"] * 60)}).classes == (1, 1, 1)


def test_distances_are_those_of_the_definition() -> None:
    metric = fit_router(TASKS, GENERAL, seed=5).discriminant
    rows = _cloud(8, 6, 2)
    for n, row in enumerate(rows.astype(np.float64) / metric.scale):
        for k, centre in enumerate(metric.centres):
            along = (row - centre) @ metric.directions
            rest = ((row - centre) ** 2).sum() - (along**2).sum()
            wanted = (along**2 @ metric.precisions + rest * metric.rest_precision[0]) / WIDTH
            assert metric.distances(rows)[n, k] == pytest.approx(wanted, rel=1e-9)
    np.testing.assert_allclose(metric.distances(rows, [2, 0]), metric.distances(rows)[:, [2, 0]], rtol=1e-12)


def test_one_task_alone_is_told_from_general_prompts() -> None:
    router = fit_router({"only": TASKS["a"]}, GENERAL, seed=5)
    assert np.mean([r == "only" for r in router.route(_cloud(11, 200, 1))]) >= 0.97
    assert np.mean([r == BASE for r in router.route(_cloud(20, 200, 9, spread=2.0))]) >= 0.97


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_task_with_few_prompts_still_gets_a_router(rows: int) -> None:
    router = fit_router({"few": TASKS["a"][:rows], "b": TASKS["b"]}, GENERAL, seed=5)
    assert np.isfinite(router.thresholds).all()
    assert set(router.route(GENERAL)) == {BASE}


def test_few_wordings_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty rows that lie close together don't say how far apart the task's prompts are."""
    few, others = {"few": _cloud(1, 20, 1, spread=0.5)}, _cloud(50, 200, 1, spread=2.2)
    router = fit_router(few, GENERAL, seed=5)
    assert np.mean([r == "few" for r in router.route(others)]) >= 0.97
    assert np.mean([r == BASE for r in router.route(_cloud(20, 200, 9, spread=2.0))]) >= 0.97
    monkeypatch.setattr("clm.llm.router.UNKNOWN", 0.0)
    assert np.mean([r == "few" for r in fit_router(few, GENERAL, seed=5).route(others)]) < 0.6


def test_more_rows_than_features_takes_the_other_way_to_the_same_distances() -> None:
    few = {task: rows[:, :20] for task, rows in TASKS.items()}
    wide = fit_router(TASKS, GENERAL, seed=5).discriminant
    narrow = fit_router(few, GENERAL[:, :20], seed=5).discriminant
    assert wide.directions.shape[1] == WIDTH and narrow.directions.shape == (20, 20)
    # Against the plain formula, with the same shrunk covariance:
    classes = list(few.values())
    centred = np.concatenate([(r - r.mean(0)).astype(np.float64) for r in classes]) / narrow.scale
    shrinkage, variance = ledoit_wolf(centred)
    covariance = (1 - shrinkage) * centred.T @ centred / len(centred) + shrinkage * variance * np.eye(20)
    offset = (_cloud(30, 9, 1)[:, :20] / narrow.scale) - narrow.centres[0]
    expected = np.einsum("nf,fg,ng->n", offset, np.linalg.inv(covariance), offset) / 20
    np.testing.assert_allclose(narrow.distances(_cloud(30, 9, 1)[:, :20])[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("n", [12, 300])
def test_shrinkage_is_that_of_scikit_learn(n: int) -> None:
    from sklearn.covariance import ledoit_wolf_shrinkage

    rows = _cloud(8, n, 1).astype(np.float64)
    rows -= rows.mean(0)
    assert ledoit_wolf(rows)[0] == pytest.approx(ledoit_wolf_shrinkage(rows, assume_centered=True), rel=1e-6)


def test_broken_features_are_refused_or_sent_to_the_base() -> None:
    router = fit_router(TASKS, GENERAL, seed=5)
    assert router.route(np.full((1, WIDTH), np.nan, np.float32)) == [BASE]
    assert router.route(np.zeros((0, WIDTH), np.float32)) == []
    with pytest.raises(InvalidInput, match="at least one task"):
        fit_router({}, GENERAL, seed=5)
    with pytest.raises(InvalidInput, match="'a' has no"):
        fit_router({"a": TASKS["a"][:0]}, GENERAL, seed=5)
    with pytest.raises(InvalidInput, match="not finite"):
        fit_router({"a": np.full((3, WIDTH), np.inf, np.float32)}, GENERAL, seed=5)
    with pytest.raises(InvalidInput, match="differing widths"):
        fit_router({"a": TASKS["a"][:, :5], "b": TASKS["b"]}, GENERAL, seed=5)


def test_the_same_features_give_the_same_router_whatever_their_order(tmp_path: Path) -> None:
    first, path = save_router(fit_router(TASKS, GENERAL, seed=5), tmp_path)
    again, _ = save_router(fit_router(dict(reversed(TASKS.items())), GENERAL, seed=5), tmp_path)
    assert first == again and path == tmp_path / first
    prompts = np.concatenate([_cloud(12, 20, 2), GENERAL])
    by_answer = fit_router(TASKS, GENERAL, 5, answers={"b": answer_numbers(["x", "y", "z"] * 15)})
    assert load_router(save_router(by_answer, tmp_path)[1]).classes == (1, 3, 1)
    there = Point(10, "mean")
    assert load_router(save_router(fit_router(TASKS, GENERAL, 5, point=there), tmp_path)[1]).point == there
    assert load_router(path, first).point is None  # as routers are from before there was a choice
    assert load_router(path, first).route(prompts) == fit_router(TASKS, GENERAL, seed=5).route(prompts)


def test_changed_routers_and_features_are_not_loaded(tmp_path: Path) -> None:
    router_hash, path = save_router(fit_router(TASKS, GENERAL, seed=5), tmp_path)
    (path / "router.json").write_text((path / "router.json").read_text().replace('"a"', '"z"'))
    with pytest.raises(TamperedArtifact):
        load_router(path, router_hash)
    with pytest.raises(TamperedArtifact):
        load_router(tmp_path / "gone", router_hash)
    (path / "router.json").write_text("{}")
    with pytest.raises(UnsafeModel):
        load_router(path)
    features_hash, file = save_features(Seen(TASKS["a"], None, None), tmp_path / "features")
    assert file.stem == features_hash
    np.testing.assert_array_equal(load_features(file).features, TASKS["a"])
    assert load_features(file).answers is None and load_features(file).point is None
    answers = answer_numbers(["yes", "no", "no"])
    read_at = Point(3, "mean+last")
    with_answers = load_features(save_features(Seen(TASKS["a"][:3], answers, read_at), tmp_path / "features")[1])
    np.testing.assert_array_equal(with_answers.answers, answers)
    assert with_answers.point == read_at
    save_features(Seen(TASKS["b"], None, None), tmp_path / "features")[1].replace(file)
    with pytest.raises(TamperedArtifact):
        load_features(file)


def test_a_handicap_gives_prompts_between_two_tasks_to_the_other_one(tmp_path: Path) -> None:
    router = fit_router(TASKS, GENERAL, seed=5)
    between = ((_cloud(30, 300, 1) + _cloud(31, 300, 2)) / 2).astype(np.float32)
    to_a = [np.mean([r == "a" for r in made.route(between)]) for made in (router, router.handicapped({"a"}, 1.3))]
    assert to_a[0] > 0.2 and to_a[1] < to_a[0] / 2
    own = router.handicapped({"a"}, 1.05).route(_cloud(32, 200, 2))
    assert np.mean([r == "b" for r in own]) >= 0.97
    made = router.handicapped({"a"}, 1.3)
    router_hash, path = save_router(made, tmp_path)
    assert router_hash != save_router(router, tmp_path)[0]
    assert load_router(path, router_hash).route(between) == made.route(between)
