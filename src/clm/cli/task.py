from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clm.cli.context import here
from clm.cli.data import Model, ingest_file, report
from clm.cli.output import Format, Output, show, show_rows

if TYPE_CHECKING:
    from clm.stages.impact import Impact

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
    from clm.catalog import service

    model, metric = here.model(model), metric or _proposed(rows or suite)
    with here.database.transaction() as session:
        service.add_task(session, here.caller, model=model, name=name, metric=metric,  # pyright: ignore[reportArgumentType]
                         margin=margin, holdout=0.0 if suite else holdout, exam=exam,  # pyright: ignore[reportArgumentType]
                         description=description, group=group,
                         weight=weight, protected=protected, watched=watched)  # fmt: skip
    typer.echo(f"Task {name} of {model} is there. Its first update teaches it and fits the router; "
               f"`clm task impact {name}` shows before what that does to the other tasks.")  # fmt: skip
    if suite:
        report(ingest_file(suite, model, name, suite=True, key=None), Format.table)


def _proposed(file: Path | None) -> str:
    """The metric that suits the file's rows."""
    from clm.catalog.metrics import propose
    from clm.ingest.batch import peek

    if file is None:
        return "exact_match"
    found, _ = peek(file, here.settings.max_line_bytes)
    proposal = propose([(record.shape, record.content) for record in found])
    typer.echo(f"Scored by {proposal.metric}: {proposal.reason} Another: --metric.", err=True)
    return proposal.metric


@app.command("list")
def list_(model: Model = None, output: Output = Format.table) -> None:
    """List a model's tasks with their numbers of rows."""
    from clm.catalog import service
    from clm.ingest.conflicts import pins

    model = here.model(model)
    with here.database.read() as session:
        snapshot = here.store.snapshot(model, **pins(session, model))
        rows: list[dict[str, Any]] = [
            {"name": t.name, "metric": t.metric, "margin": t.margin, "rows": snapshot.counts.get(t.name, 0),
             "suite": snapshot.suites.get(t.name, 0), "group": t.group, "weight": t.weight, "protected": t.protected,
             "watched": t.watched}
            for t in service.list_tasks(session, model)
        ]  # fmt: skip
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
    from clm.catalog import service

    said = {"margin": margin, "holdout": holdout, "exam": exam, "group": group, "weight": weight,
            "protected": protected, "watched": watched,
            "description": description}  # fmt: skip
    changes = {field: value for field, value in said.items() if value is not None}
    with here.database.transaction() as session:
        service.edit_task(session, here.caller, here.model(model), name, changes)
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
    from clm.catalog import service as catalog
    from clm.cli.update import carry_on
    from clm.deployment import repository as deployments
    from clm.errors import unknown_name
    from clm.registry import service as registry
    from clm.updates import service

    if rollout not in (None, "canary", "blue-green"):
        raise unknown_name("kind of rollout", rollout or "", ["canary", "blue-green"])
    model = here.model(model)
    with here.database.read() as session:
        catalog.check_removable(session, model, task, force=force)
        champion = registry.get(session, deployments.get_deployment(session, model).champion)
    if task not in champion.composition.tasks:
        typer.echo(
            f"Task {task} has no expert in v{champion.number}, which serves: no other task is touched.", err=True
        )
        if not dry_run and (yes or typer.confirm(f"Remove task {task} of {model}?", abort=True, err=True)):
            with here.database.transaction() as session:
                catalog.mark_removed(session, here.caller, model, task)
            typer.echo(f"Task {task} of {model} is removed; its rows and history stay.")
        return
    _show_impact(_measure(model, task, removal=True, file=None), output)
    if dry_run or not (yes or typer.confirm(f"Remove task {task} of {model}?", abort=True, err=True)):
        return
    with here.database.transaction() as session:
        update = service.create_update(session, here.caller, model=model, task=task, kind="remove",
                                       reason="task removed by hand", rollout_kind=rollout)  # fmt: skip
    carry_on(update, wait=wait, output=output)


def _measure(model: str, task: str, *, removal: bool, file: Path | None) -> "Impact":
    from clm.stages.impact import measure

    return measure(here.installation, model, task, removal=removal, file=file,
                   tell=lambda sentence: typer.echo(f"{sentence} …", err=True))  # fmt: skip


def _show_impact(found: "Impact", output: Format) -> None:
    rows: list[dict[str, Any]] = [found_in.as_row() for found_in in found.tasks]

    def table() -> None:
        columns = {"task": "TASK", "role": "ROLE", "n": "SUITE", "before": "BEFORE", "after": "AFTER",
                   "difference": "DIFFERENCE", "strays_before": "ASTRAY BEFORE",
                   "strays_after": "ASTRAY AFTER"}  # fmt: skip
        show_rows(rows, output, columns, "No task has a suite.")
        for line in found.moves():
            typer.echo(line)

    value = {"model": found.model, "task": found.task, "change": found.change, "release": found.release,
             "router": found.router_hash, "tasks": rows}  # fmt: skip
    show(value, output, table)
