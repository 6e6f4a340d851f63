"""A task with two experts: both answer for it, whichever is asked, and both leave with it."""

from collections.abc import Callable

import numpy as np

from clm.llm.base import load_base
from clm.llm.router import load_router
from clm.registry import bundle as bundles
from clm.serving.engine.release import read_release
from clm.stages.impact import measure
from clm.training.examples import Example
from clm.training.routing import task_features
from clm.updates import service as updates
from clm.views.lineage import trace
from cycle_home import MODEL, TEST, Home, colour_rows, town_rows
from experts_home import serve_experts

SHOUTED = [{"prompt": f"PLEASE MIX ME SOME {n}!", "completion": "white"} for n in range(40)]


def test_all_parts_of_a_task_are_its_own(make_home: Callable[..., Home]) -> None:
    home = make_home()
    rows = {"colour": colour_rows(0, 40), "colour.2": SHOUTED, "town": town_rows(0, 40)}
    release = serve_experts(home, rows)
    assert release.composition.tasks == {"colour", "town"}
    assert release.composition.parts("colour") == ["colour", "colour.2"]

    served = read_release(home.settings.home / release.path)
    assert set(served.experts) == set(rows) and served.router is not None
    router = load_router(served.router[1], served.router[0])
    base = load_base(home.settings.paths.bases / served.base_hash, threads=1)
    asked = [Example(f"rec_{n}", "completion", dict(row)) for n, row in enumerate(SHOUTED[:8])]
    assert set(router.route(np.asarray(task_features(base, asked)))) == {"colour.2"}

    home.take("colour", [{"prompt": f"PLEASE MIX ME SOME {n}!", "completion": "white"} for n in range(100, 108)],
              suite=True)  # fmt: skip
    without_town = measure(home.installation, MODEL, "town", removal=True)
    colour = without_town.tasks[0]
    assert (colour.task, colour.n, colour.strays_before, colour.strays_after) == ("colour", 32, 0, 0)

    with home.database.transaction() as session:
        update_id = updates.create_update(session, TEST, model=MODEL, task="colour", kind="remove").id
    update = home.finish(update_id)
    assert update.state == "succeeded" and update.release_id, update.outcome
    left = bundles.load_bundle(home.settings.paths.releases / update.release_id, home.settings.paths.keys)
    assert set(left.experts) == set(left.features) == set(left.lineage) == {"town"}
    with home.database.read() as session:
        traced = trace(session, home.settings, home.store, release.release_id)
    assert set(traced["experts"]) == set(rows)
