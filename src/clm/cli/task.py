from pathlib import Path
from typing import Annotated

import typer

from clm.cli.api import part
from clm.cli.context import here
from clm.cli.data import Model, ingest_file, report
from clm.cli.operations import follow
from clm.cli.output import Format, Output, show, show_rows
from clm.records import Json, task_of

app = typer.Typer(help="Tasks: what a model must be able to do and never lose.", no_args_is_help=True)
Group = Annotated[str | None, typer.Option(help="Tasks of a group share an adapter under the strategy `joint`.")]
EXAM = "auto (held out where others teach it, else asked again), held_out or recall (asked again)."
WATCHED = "Evaluated with every update although it has no training rows."


@app.command()
def add(
    name: str,
    model: Model = None,
    metric: Annotated[str | None, typer.Option(help="See docs/metrics.md; none: what suits --rows or --suite.")] = None,
    margin: Annotated[float | None, typer.Option(help="Tolerated loss in score points; none: the policy's.")] = None,
    suite: Annotated[Path | None, typer.Option(help="File with the held-out examples.", exists=True)] = None,
    rows: Annotated[
        Path | None, typer.Option(help="Rows of the task, to choose the metric by; not taken in.", exists=True)
    ] = None,
    holdout: Annotated[float, typer.Option(help="Share of each delivery's new rows that is held out.")] = 0.2,
    exam: Annotated[str, typer.Option(help=EXAM)] = "auto",
    description: str = "",
    group: Group = None,
    weight: Annotated[float, typer.Option(help="In averages over tasks; above 0.")] = 1.0,
    protected: Annotated[bool, typer.Option("--protected", help="Any shown loss fails an update.")] = False,
    watched: Annotated[bool, typer.Option("--watched", help=WATCHED)] = False,
) -> None:
    """Add a task. With --suite nothing else is held out; without, a share of its first rows is."""
    model, metric = here.model(model), metric or _proposed(rows or suite)
    task = {"name": name, "metric": metric, "margin": margin, "holdout": 0.0 if suite else holdout, "exam": exam,
            "description": description, "group": group, "weight": weight, "protected": protected,
            "watched": watched}  # fmt: skip
    here.api.post(f"/models/{part(model)}/tasks", task)
    typer.echo(f"Task {name} of {model} is there. Its first update teaches it and fits the router; "
               f"`clm task impact {name}` shows before what that does to the other tasks.")  # fmt: skip
    if suite:
        report(ingest_file(suite, model, name, suite=True), Format.table)


def _proposed(file: Path | None) -> str:
    """The metric that suits the file's rows."""
    from clm.catalog.metrics import propose
    from clm.ingest.batch import peek

    if file is None:
        return "exact_match"
    records, _ = peek(file, here.settings.max_line_bytes)
    proposal = propose([(record.shape, record.content) for record in records])
    typer.echo(f"Scored by {proposal.metric}: {proposal.reason} Another: --metric.", err=True)
    return proposal.metric


@app.command("list")
def list_(model: Model = None, output: Output = Format.table) -> None:
    """List a model's tasks with their numbers of rows."""
    rows = here.api.every(f"/models/{part(here.model(model))}/tasks")
    columns = {"name": "TASK", "metric": "METRIC", "margin": "MARGIN", "rows": "TRAINING ROWS", "suite": "SUITE",
               "group": "GROUP", "weight": "WEIGHT", "protected": "PROTECTED", "watched": "WATCHED"}  # fmt: skip
    show_rows(rows, output, columns, "No task yet. `clm task add NAME` adds one.")


@app.command()
def edit(
    name: str,
    model: Model = None,
    margin: Annotated[float | None, typer.Option(help="Tolerated loss in score points.")] = None,
    holdout: Annotated[float | None, typer.Option(help="Share of each delivery's new rows that is held out.")] = None,
    exam: Annotated[str | None, typer.Option(help=EXAM)] = None,
    group: Group = None,
    weight: Annotated[float | None, typer.Option(help="In averages over tasks; above 0.")] = None,
    protected: Annotated[bool | None, typer.Option("--protected/--no-protected")] = None,
    watched: Annotated[bool | None, typer.Option("--watched/--no-watched", help=WATCHED)] = None,
    description: str | None = None,
) -> None:
    """Change what is said of a task. --group "" takes it out of its group."""
    said = {"margin": margin, "holdout": holdout, "exam": exam, "group": group, "weight": weight,
            "protected": protected, "watched": watched,
            "description": description}  # fmt: skip
    changes = {field: value for field, value in said.items() if value is not None}
    here.api.patch(f"/models/{part(here.model(model))}/tasks/{part(name)}", changes)
    typer.echo(f"Task {name}: {', '.join(changes)} changed.")


@app.command()
def impact(
    task: str,
    model: Model = None,
    remove_: Annotated[bool, typer.Option("--remove", help="What taking its expert out would do.")] = False,
    add_: Annotated[Path | None, typer.Option("--add", help="Rows of a task to come.", exists=True)] = None,
    output: Output = Format.table,
) -> None:
    """Measure what adding the task (or removing it) does to every other task. Nothing is applied."""
    from clm.errors import InvalidInput

    if remove_ and add_:
        raise InvalidInput("Ask for one thing: --remove, or --add FILE.")
    _show_impact(_measure(here.model(model), task, removal=remove_, file=add_), output)


@app.command()
def remove(
    task: str,
    model: Model = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the impact.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also a protected task.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; exit code 2: the gate said no.")] = False,
    rollout: Annotated[str | None, typer.Option(help="canary or blue-green; none: the model's policy.")] = None,
    output: Output = Format.table,
) -> None:
    """Take a task's expert out: shows the impact on the others, then makes, proves and rolls out a release without it.

    The experts of the other tasks stay as they are, and so do the task's rows, scores and history.
    """
    from clm.cli.update import carry_on
    from clm.errors import unknown_name

    if rollout not in (None, "canary", "blue-green"):
        raise unknown_name("kind of rollout", rollout or "", ["canary", "blue-green"])
    model = here.model(model)
    path = f"/models/{part(model)}/tasks/{part(task)}"
    here.api.delete(path, force=force, dry_run=True)
    if (release := _without_expert(model, task)) is not None:
        typer.echo(f"Task {task} has no expert in {release}, which serves: no other task is touched.", err=True)
        if not dry_run and (yes or typer.confirm(f"Remove task {task} of {model}?", abort=True, err=True)):
            here.api.delete(path, force=force)
            typer.echo(f"Task {task} of {model} is removed; its rows and history stay.")
        return
    _show_impact(_measure(model, task, removal=True, file=None), output)
    if dry_run or not (yes or typer.confirm(f"Remove task {task} of {model}?", abort=True, err=True)):
        return
    body = {"model": model, "task": task, "kind": "remove", "rollout": rollout, "force": force}
    carry_on(here.api.post("/updates", body), wait=wait, output=output)


def _without_expert(model: str, task: str) -> str | None:
    """The release that serves, if it has no expert of the task."""
    release = here.api.get(f"/releases/{here.api.get(f'/deployments/{part(model)}')['champion']}")
    return None if task in map(task_of, release["experts"]) else f"v{release['number']}"


def _measure(model: str, task: str, *, removal: bool, file: Path | None) -> Json:
    change = "remove" if removal else "add"
    path = f"/models/{part(model)}/tasks/{part(task)}:impact"
    return follow(here.api.upload(path, file, change=change, file_name=file and file.name))


def _show_impact(impact: Json, output: Format) -> None:
    def table() -> None:
        columns = {"task": "TASK", "role": "ROLE", "n": "SUITE", "before": "BEFORE", "after": "AFTER",
                   "difference": "DIFFERENCE", "strays_before": "ASTRAY BEFORE",
                   "strays_after": "ASTRAY AFTER"}  # fmt: skip
        show_rows(impact["tasks"], output, columns, "No task has a suite.")
        for line in impact["moves"]:
            typer.echo(line)

    show(impact, output, table)
