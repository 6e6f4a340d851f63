"""A memory is made with every release, the next update replays from it; what the gate rejects is held."""

import json
from collections.abc import Callable

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from clm.catalog import service as catalog
from clm.cli import data
from clm.cli import memory as commands
from clm.cli.context import Context
from clm.ingest import holding, repository
from clm.policies import ModelPolicy
from clm.registry import bundle as bundles
from clm.stages.work import Work
from clm.updates import repository as update_rows
from cycle_home import MODEL, TEST, Home

TASK, WORDS = "letters", ("red", "sky")
POLICY = ModelPolicy.model_validate(
    {
        "training": {"rank": 8, "alpha": 16, "epochs": 8, "learning_rate": 5e-3},
        "memory": {"policy": "surprising", "rows": 20},
        "repair": {"interpolate": False, "replay_tries": 0},
        "rollout": {"kind": "blue-green"},
        "gate": {"margin": 0.2},
        "generation": {"max_new_tokens": 4},
    }
)


def letters(start: int, count: int, *, flipped: bool = False) -> list[dict[str, str]]:
    """The answer is the word's first letter; flipped: that of the other word."""
    numbers = range(start, start + count)
    return [{"prompt": f"{WORDS[n % 2]} {n}", "completion": WORDS[(n + flipped) % 2][0]} for n in numbers]


def mixture_of(home: Home, update_id: str, origin: str) -> dict[str, dict[str, str]]:
    rows = pq.read_table(home.settings.paths.updates / update_id / "mixture.parquet").to_pylist()
    return {row["record_id"]: json.loads(row["content"]) for row in rows if row["origin"] == origin}


@pytest.mark.slow
def test_updates_replay_from_the_memory_and_hold_what_was_rejected(
    make_home: Callable[..., Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(policy=POLICY)
    monkeypatch.setenv("CLM_HOME", str(home.settings.home))
    monkeypatch.setattr(commands, "here", Context())

    def clm(*words: str) -> str:
        ran = CliRunner().invoke(data.app, list(words), env={"COLUMNS": "200", "NO_COLOR": "1"})
        assert ran.exit_code == 0, ran.output
        return ran.output

    with home.database.transaction() as session:
        catalog.add_task(session, TEST, model=MODEL, name=TASK, holdout=0.0)
    home.take(TASK, letters(200, 36), suite=True)
    home.take(TASK, letters(100, 48))
    assert "No memory yet" in clm("replay", "show")

    first = home.run_update(TASK)
    assert first.state == "succeeded", first.outcome
    lineage = bundles.read_lineage(home.settings.paths.releases / str(first.release_id))[TASK]
    assert (home.settings.paths.memories / f"{lineage['memory']['hash']}.parquet").is_file()
    (shown,) = json.loads(clm("replay", "show", "-o", "json"))
    assert (shown["task"], shown["policy"], shown["rows"], shown["most_rows"]) == (TASK, "surprising", 20, 20)
    scores = [row["score"] for row in shown["contents"]]
    assert scores == sorted(scores, reverse=True) and scores[0] is not None
    assert "letters: 20 of 20 rows" in clm("replay", "show")

    home.take(TASK, letters(300, 60, flipped=True))
    second = home.run_update(TASK)
    assert second.state == "rejected", second.outcome
    replayed = mixture_of(home, second.id, "replay")
    assert len(replayed) == 20 and replayed.keys() == {row["record_id"] for row in shown["contents"]}
    with home.database.read() as session:
        detail = next(stage.detail for stage in update_rows.stages_of(session, second.id) if stage.name == "mixture")
        (batch,) = holding.left_out(session, MODEL)
        assert sum(repository.batches_since(session, MODEL, TASK, None).values()) == 48
    assert detail and (detail["new"], detail["replay"], detail["memory_rows"]) == (60, 20, 20)
    assert batch in clm("held", "list")

    home.take(TASK, letters(400, 24))
    work, third = Work(home.installation), home.ask_for_update(TASK)
    snapshot = work.snapshot(third)[0]
    mixture, detail, said = work.mixture(third, snapshot)
    assert (mixture.new_rows, detail["held"]) == (24, 60) and "60 held after a rejection" in said
    assert all(row["prompt"].startswith(row["completion"]) for row in mixture_of(home, third, "new").values())
    assert "Is released" in clm("held", "release", second.id)
    mixture, detail, _ = work.mixture(third, snapshot)
    assert (mixture.new_rows, detail["held"]) == (84, 0)
