"""A home can be moved, as onto a larger disk, and everything in it goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

from clm.registry import bundle as bundles
from clm.registry import service as registry
from clm.stages.work import Work
from cycle_home import MODEL, Home, colour_rows


def test_a_moved_home_goes_on(make_home: Callable[..., Home], tmp_path: Path) -> None:
    home = make_home()
    assert home.run_update("colour").state == "succeeded"
    work, unfinished = Work(home.installation), home.ask_for_update("town")
    pinned, _, _ = work.snapshot(unfinished)
    mixture, _, _ = work.mixture(unfinished, pinned)
    home.database.close()
    shutil.move(home.settings.home, tmp_path / "moved")

    moved = Home(tmp_path / "moved")
    with moved.database.read() as session:
        releases = registry.list_releases(session, MODEL)
        compared = registry.compare(session, moved.settings.home, "v1", "v2", MODEL)
    assert [release.path for release in releases] == [f"releases/{release.release_id}" for release in releases]
    for release in releases:
        registry.verify(release, moved.settings.home, moved.settings.paths.keys)
    assert compared.after == releases[0].release_id

    # What an update had made before is found, and the update goes on from there.
    work = Work(moved.installation)
    trained, _, _ = work.train(unfinished, mixture)
    evaluations, _, _ = work.evaluate(unfinished, pinned, trained)
    assert not any(Path(each.answers).is_absolute() for each in evaluations.values())
    verdict, _, _ = work.gate(unfinished, trained, evaluations)
    assert {task.task for task in verdict.tasks} == {"colour", "town"}

    moved.take("colour", colour_rows(500, 16))
    update = moved.run_update("colour")
    assert update.state == "succeeded"
    newest = bundles.load_bundle(moved.settings.paths.releases / str(update.release_id), moved.settings.paths.keys)
    assert newest.composition.tasks == {"colour"}
