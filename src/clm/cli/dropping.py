"""`clm data drop` and `clm suite drop`: rows that no update is to learn from, or to be asked."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from clm.cli.context import here
from clm.cli.output import Format, Output, show, show_rows

if TYPE_CHECKING:
    from clm.ingest.dropping import Dropped

Ids = Annotated[list[str], typer.Argument(help="Ids as updates and refusals name them: rec_…", metavar="RECORD…")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="May be left out where there is one only.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Goes into the audit.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take it back: from now on they count again.")]


def drop_rows(
    records: Ids,
    model: Model = None,
    reason: Reason = "dropped by hand",
    undo: Undo = False,
    dry_run: DryRun = False,
    output: Output = Format.table,
) -> None:
    """Take training rows out: no update learns from them or replays them from now on. They stay in the dataset."""
    _drop(records, model, reason, undo, dry_run, output, suite=False)


def drop_examples(
    examples: Ids,
    model: Model = None,
    reason: Reason = "dropped by hand",
    undo: Undo = False,
    dry_run: DryRun = False,
    output: Output = Format.table,
) -> None:
    """Take held-out examples out: no update is asked them from now on. Their prompts still stay out of training."""
    _drop(examples, model, reason, undo, dry_run, output, suite=True)


def list_dropped(
    model: Model = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was taken back.")] = False,
    output: Output = Format.table,
) -> None:
    """List the rows and held-out examples that were dropped."""
    from clm.ingest.dropping import dropped_rows

    with here.database.read() as session:
        rows: list[dict[str, Any]] = [
            {"record_id": r.record_id, "task": r.task, "of": "suite" if r.suite else "training", "reason": r.reason,
             "by": r.actor, "at": r.created_at.isoformat(timespec="seconds"), "undone": r.undone_at is not None}
            for r in dropped_rows(session, here.model(model), undone=every)
        ]  # fmt: skip
    columns = {"record_id": "RECORD", "task": "TASK", "of": "OF", "reason": "REASON", "by": "BY", "at": "AT",
               "undone": "TAKEN BACK"}  # fmt: skip
    show_rows(rows, output, columns, "Nothing is dropped.")


def _drop(
    records: list[str], model: str | None, reason: str, undo: bool, dry_run: bool, output: Format, *, suite: bool
) -> None:
    from dataclasses import asdict

    from clm.ingest.dropping import drop

    # A reading session drops whatever was changed in it.
    with here.database.read() if dry_run else here.database.transaction() as session:
        done = drop(session, here.store, here.caller, model=here.model(model), record_ids=records, suite=suite,
                    reason=reason, undo=undo)  # fmt: skip
    show(asdict(done) | {"dry_run": dry_run}, output, lambda: _tell(done, dry_run))


def _tell(done: "Dropped", dry_run: bool) -> None:
    from clm.core.content import beginning

    word = "taken back" if done.undone else "dropped"
    for row in done.records:
        typer.echo(f"{'Would be' if dry_run else 'Is'} {word}: {row['record_id']} ({row['task']}) "
                   f"{beginning(row['content'])!r}")  # fmt: skip
    for record in done.unchanged:
        typer.echo(f"Nothing to do: {record} {'is not dropped' if done.undone else 'is dropped already'}.")
    for task, left in done.left.items():
        typer.echo(f"Task {task} has {left} {'held-out examples' if done.suite else 'training rows'} "
                   f"{'now' if done.undone else 'left'}.")  # fmt: skip
        if done.suite and not left:
            typer.echo(f"Nothing examines task {task} any more, so its next update stops. Bring examples: "
                       f"clm ingest FILE --task {task} --suite", err=True)  # fmt: skip
