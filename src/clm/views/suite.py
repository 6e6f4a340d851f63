"""What examines a task now: the held-out examples of its suite's slices."""

import tempfile
from pathlib import Path

from sqlalchemy.orm import Session

from clm.catalog.service import get_model, get_task, policy_of
from clm.core.content import completion, question
from clm.formats.suites import read_suites
from clm.ingest.conflicts import pins
from clm.settings import Settings
from clm.store.store import Store
from clm.views.schemas import ExampleRow


def suite_shown(session: Session, settings: Settings, store: Store, model: str, task: str) -> list[ExampleRow]:
    """The newest slice first. Of old slices what is still asked, as an update that begins now would."""
    get_task(session, model, task)
    bounds = policy_of(get_model(session, model)).suite
    snapshot = store.snapshot(model, bounds=(bounds.slice_rows, bounds.rows), **pins(session, model))
    if task not in snapshot.suites:
        return []
    with tempfile.TemporaryDirectory(dir=settings.paths.run, prefix="suite-") as folder:
        examples = read_suites(store.write_suites(snapshot, Path(folder) / "suite.parquet", tasks=[task]))[task]
    rows = [
        ExampleRow(
            record_id=example.example_id,
            slice=example.slice,
            kind=example.kind,
            prompt=question(example.shape, example.content),
            answer=completion(example.shape, example.content),
            old_answers=list(example.old_answers),
        )
        for example in examples
    ]
    return sorted(rows, key=lambda row: (-row.slice, row.prompt, row.record_id))
