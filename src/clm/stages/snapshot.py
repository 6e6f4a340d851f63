"""Stage *snapshot*: pins one version of every data table. Whatever comes later belongs to the next update."""

from dataclasses import replace
from typing import Any

from clm.catalog import service as catalog
from clm.deployment import repository as deployments
from clm.ingest import conflicts
from clm.installation import Installation
from clm.policies import ModelPolicy
from clm.records import Snapshot
from clm.stages.outcome import Done
from clm.updates import service as updates


def pin(on: Installation, update_id: str) -> Done[Snapshot]:
    with on.database.transaction() as session:
        update = updates.get_update(session, update_id)
        update.champion = deployments.get_deployment(session, update.model).champion
        if update.slice is None:  # once, however often this stage is begun
            update.slice = catalog.close_slice(session, update.model, update.task)
        model, task = update.model, update.task
        closed = {each.name: each.open_slice - 1 for each in catalog.list_tasks(session, model, removed=True)}
        pinned = conflicts.pins(session, model)
        suite = ModelPolicy.model_validate(update.policy).suite
    bounds = (suite.slice_rows, suite.rows)
    snapshot = replace(on.store.snapshot(model, **pinned, bounds=bounds), closed=closed)
    rows, held_out = snapshot.counts.get(task, 0), snapshot.suites.get(task, 0)
    detail: dict[str, Any] = {"tables": snapshot.tables, "rows": rows, "suite": held_out, "slice": closed[task],
                              "slices": snapshot.slices.get(task, {})}  # fmt: skip
    message = f"Pinned {snapshot.tables}: task {task} has {rows} rows, {held_out} held out."
    if task in snapshot.renewed:
        detail["renewed"] = snapshot.renewed[task]
        message += f" {snapshot.renewed[task]}"
    return snapshot, detail, message
