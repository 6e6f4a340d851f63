from pathlib import Path
from typing import Annotated, Any

import typer

from clm.cli.context import here
from clm.cli.data import Model, ingest_file, report
from clm.cli.output import Format, Output, show_rows

app = typer.Typer(help="Tasks: what a model must be able to do and never lose.", no_args_is_help=True)


@app.command()
def add(
    name: str,
    model: Model = None,
    metric: Annotated[str, typer.Option(help="exact_match, token_f1 or perplexity.")] = "exact_match",
    margin: Annotated[float | None, typer.Option(help="Tolerated loss in score points; none: the policy's.")] = None,
    suite: Annotated[Path | None, typer.Option(help="File with the held-out examples.", exists=True)] = None,
    holdout: Annotated[
        float, typer.Option(help="Share of the rows before the first update that is held out by itself.")
    ] = 0.2,
    description: str = "",
) -> None:
    """Add a task. With --suite nothing else is held out; without, a share of its first rows is."""
    from clm.catalog import service

    model = here.model(model)
    with here.database.transaction() as session:
        service.add_task(session, here.caller, model=model, name=name, metric=metric,  # pyright: ignore[reportArgumentType]
                         margin=margin, holdout=0.0 if suite else holdout, description=description)  # fmt: skip
    typer.echo(f"Task {name} of {model} is there.")
    if suite:
        report(ingest_file(suite, model, name, suite=True, key=None), Format.table)


@app.command("list")
def list_(model: Model = None, output: Output = Format.table) -> None:
    """List a model's tasks with their numbers of rows."""
    from clm.catalog import service

    model = here.model(model)
    snapshot = here.store.snapshot(model)
    with here.database.read() as session:
        rows: list[dict[str, Any]] = [
            {"name": t.name, "metric": t.metric, "margin": t.margin, "rows": snapshot.counts.get(t.name, 0),
             "suite": snapshot.suites.get(t.name, 0)}
            for t in service.list_tasks(session, model)
        ]  # fmt: skip
    columns = {"name": "TASK", "metric": "METRIC", "margin": "MARGIN", "rows": "TRAINING ROWS", "suite": "SUITE"}
    show_rows(rows, output, columns, "No task yet. `clm task add NAME` adds one.")
